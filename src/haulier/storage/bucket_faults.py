"""What keeps us from a bucket, in words and with advice, from botocore's errors. Nothing here shows a secret."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

ERRORS = (BotoCoreError, ClientError)


class Fault(NamedTuple):
    """What is wrong, and what to do about it."""

    text: str
    advice: str


_CREDENTIALS = (
    "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role that this machine gets them from."
)
_REGION = "Set region= in HAULIER_STORAGE_URL to the bucket's region."
_CODES: dict[str, Fault] = {
    "NoSuchBucket": Fault("the bucket does not exist", "Run `haulier storage init`, or correct HAULIER_STORAGE_URL."),
    "AccessDenied": Fault(
        "the store denies access",
        "Allow these credentials to list, read, write and delete in the bucket, see docs/storage.md.",
    ),
    "InvalidAccessKeyId": Fault("the store does not know the access key", _CREDENTIALS),
    "SignatureDoesNotMatch": Fault("the secret key does not fit the access key", _CREDENTIALS),
    "ExpiredToken": Fault("the temporary credentials have expired", _CREDENTIALS),
    "InvalidToken": Fault("the session token is not valid", _CREDENTIALS),
    "RequestTimeTooSkewed": Fault(
        "this machine's clock is too far off the store's", "Run NTP here: requests are signed with the time."
    ),
    "AuthorizationHeaderMalformed": Fault("the region is not the bucket's", _REGION),
    "PermanentRedirect": Fault("the bucket is in another region, or has another address", _REGION),
    "IllegalLocationConstraintException": Fault("the region is not the bucket's", _REGION),
    "InvalidLocationConstraint": Fault("the store does not know the region", _REGION),
    "BucketAlreadyExists": Fault("the bucket's name belongs to somebody else", "Choose another name."),
}
# A HEAD is answered without a body, so without a code.
_STATUS = {"301": "PermanentRedirect", "403": "AccessDenied", "404": "NoSuchBucket"}


def fault_of(error: Exception) -> Fault:
    """Why a call to the store failed."""
    if isinstance(error, ClientError):
        return _refusal(error)
    if isinstance(error, NoCredentialsError):
        return Fault("there are no AWS credentials", _CREDENTIALS)
    if isinstance(error, SSLError):
        return Fault("its TLS certificate is not trusted", "Name the CA in AWS_CA_BUNDLE, and the host as it is in it.")
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return Fault("the endpoint does not answer in time", "Check endpoint= and the network between.")
    if isinstance(error, EndpointConnectionError | ConnectionClosedError | ProxyConnectionError | BotoConnectionError):
        return Fault("the endpoint cannot be reached", "Check endpoint= in HAULIER_STORAGE_URL, and that it runs.")
    if isinstance(error, ParamValidationError):
        return Fault("the bucket's name is not valid", "Correct HAULIER_STORAGE_URL.")
    return Fault(f"the call failed: {type(error).__name__}", "Check HAULIER_STORAGE_URL and the AWS credentials.")


def code_of(error: Exception) -> str:
    """The store's code of a refusal; empty when it was none."""
    code = str(_response(error).get("Error", {}).get("Code", ""))
    return _STATUS.get(code, code)


def time_of(answer: Any) -> datetime | None:
    """The store's clock in an answer or a refusal of botocore; None when it does not say."""
    fields = answer if isinstance(answer, dict) else _response(answer)
    try:
        return parsedate_to_datetime(fields["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, TypeError, ValueError):
        return None


def _refusal(error: ClientError) -> Fault:
    code = code_of(error)
    if code in _CODES:
        return _CODES[code]
    return Fault(f"the store answers {code or 'with an error'}", "Look the code up in the store's documentation.")


def _response(error: Any) -> dict[str, Any]:
    return getattr(error, "response", None) or {}
