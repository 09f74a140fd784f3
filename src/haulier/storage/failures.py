"""What went wrong in an object store, in our own errors.

obstore tells most failures apart only in its text, botocore by codes. The reasons here name no path, address or
credential.
"""

import errno
import os
import re

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

from haulier.errors import (
    HaulierError,
    SourceChanged,
    SourceDenied,
    SourceMissing,
    SourceUnavailable,
    StorageFailed,
    StorageUnavailable,
)

STORE_ERRORS = (BaseError, OSError, NotImplementedError, TimeoutError)
_OS_ERROR = re.compile(r"os error (\d+)")
_STORE_CODE = re.compile(r"<Code>(\w+)</Code>")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_CODES = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}


def write_failure(error: BaseException) -> HaulierError:
    """Why an upload failed: a full or refusing store is StorageFailed, one that does not answer StorageUnavailable."""
    number, code = _os_error(error), code_of(error)
    if number in _FULL:
        return StorageFailed(reason="the disk is full")
    if code in _FULL_CODES:
        return StorageFailed(reason="the store is full")
    if is_denied(error):
        return StorageFailed(reason="the store denied access")
    if code == "NoSuchBucket":
        return StorageFailed(reason="the bucket does not exist")
    if number is not None:
        return StorageFailed(reason=os.strerror(number).lower())
    return unavailable(error)


def open_failure(error: BaseException, key: str) -> HaulierError:
    """Why an object could not be looked up or opened."""
    if isinstance(error, PreconditionError):
        return SourceChanged(name=key)
    code = code_of(error)
    if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
        return SourceMissing(name=key)
    # Wrong or expired credentials answer 403 as well: those are an outage of ours, not a verdict on the object.
    if code == "AccessDenied" or _os_error(error) in {errno.EACCES, errno.EPERM}:
        return SourceDenied(name=key)
    return unavailable(error)


def read_failure(error: BaseException, key: str) -> HaulierError:
    """Why reading stopped after the object had been opened."""
    if isinstance(error, FileNotFoundError):
        return SourceMissing(name=key)
    return SourceUnavailable(name=key, reason=reason(error))


def unavailable(error: BaseException) -> StorageUnavailable:
    """The store does not answer, or not sensibly; `facts["reason"]` says how, for health and logs."""
    return StorageUnavailable(reason=reason(error))


def reason(error: BaseException) -> str:
    """A few words on `error`, without addresses, paths and secrets."""
    code, number = code_of(error), _os_error(error)
    if isinstance(error, TimeoutError | ConnectTimeoutError | ReadTimeoutError):
        return "it did not answer in time"
    if code:
        return f"it answered {code}"
    if is_denied(error):
        return "it denied access"
    if number is not None:
        return os.strerror(number).lower()
    status = re.search(r"non-2xx status code: (\d{3})", str(error))
    return f"it answered {status[1]}" if status else "it could not be reached"


def is_denied(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {401, 403}
    return isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)


def _os_error(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _OS_ERROR.search(str(error))
    return int(found[1]) if found else None


def code_of(error: BaseException) -> str | None:
    """S3's code for what went wrong (`NoSuchUpload`), None when it gave none."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code")
    found = _STORE_CODE.search(str(error))
    return found[1] if found else None
