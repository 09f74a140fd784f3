"""A file that grows in parts beside its final name, and takes that name when it is whole.

Its own name ends in `#` and 19 digits: obstore never lists files whose names end in `#` and digits, and counts its own
from 1. Who writes holds a shared lock and who completes an exclusive one: a part that a lost attempt is still writing
must not change the date, and with it the ETag, of a file that is published.
"""

import asyncio
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from haulier.errors import StorageUnavailable, UploadLost
from haulier.storage.failures import write_failure
from haulier.storage.parts import check_part, whole
from haulier.storage.port import Part

MAX_NAME_BYTES = 255
_DIGITS = 19
_HANDLE = re.compile(rf"[0-9]{{{_DIGITS}}}")
_TRIES = 5
_LOCK_S, _LOCK_STEP_S = 20.0, 0.05
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}  # what file systems without locks answer

_T = TypeVar("_T")


def new_handle() -> str:
    """A handle that no other upload has."""
    return str(10 ** (_DIGITS - 1) + secrets.randbelow(9 * 10 ** (_DIGITS - 1)))


def handle_in(name: str) -> str | None:
    """The handle of the upload whose file has this name, None for other files."""
    _, mark, digits = name.rpartition("#")
    return digits if mark and _HANDLE.fullmatch(digits) else None


class FolderUpload:
    """See Upload. The file becomes `place`, below `root`.

    `etag_of` gives the ETag of a finished file, `tidy` removes folders that became empty.
    """

    def __init__(
        self,
        place: Path,
        handle: str,
        *,
        root: Path,
        part_bytes: int,
        etag_of: Callable[[os.stat_result], str],
        tidy: Callable[[], None],
    ) -> None:
        self._place = place
        self._handle = handle
        self._root = root
        self._part_bytes = part_bytes
        self._etag_of = etag_of
        self._tidy = tidy

    @property
    def handle(self) -> str:
        return self._handle

    async def send(self, number: int, content: bytes) -> Part:
        check_part(number, content, part_bytes=self._part_bytes)
        await self._in_thread(lambda: self._send(content, (number - 1) * self._part_bytes))
        return Part(number, len(content), etag="")

    async def complete(self, parts: Sequence[Part]) -> str:
        _, size = whole(parts, part_bytes=self._part_bytes)
        return await self._in_thread(lambda: self._complete(size))

    async def abort(self) -> None:
        await self._in_thread(self._abort)

    async def begin(self) -> None:
        """Make the file that grows, so that it survives a loss of power."""
        await self._in_thread(self._begin)

    async def _in_thread(self, step: Callable[[], _T]) -> _T:
        try:
            return await asyncio.to_thread(step)
        except FileNotFoundError as error:
            if await asyncio.to_thread(self._root.is_dir):
                raise UploadLost from error
            raise StorageUnavailable(reason="the folder does not exist or is not writable") from error
        except OSError as error:
            raise write_failure(error) from error

    def _growing(self) -> Path:
        if not _HANDLE.fullmatch(self._handle):  # given by another kind of store
            raise UploadLost
        name = self._place.name.encode()[: MAX_NAME_BYTES - _DIGITS - 1].decode("utf-8", "ignore")
        return self._place.with_name(f"{name}#{self._handle}")

    def _begin(self) -> None:
        os.close(self._create())
        folder = self._place.parent
        flush(folder)
        while folder != self._root:
            folder = folder.parent
            flush(folder)

    def _create(self) -> int:
        self._root.stat()  # a folder that is not mounted is not made anew
        for tries_left in reversed(range(_TRIES)):
            try:
                self._place.parent.mkdir(parents=True, exist_ok=True)
                return os.open(self._growing(), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            except FileNotFoundError:  # folders that are empty are removed at any time
                if not tries_left:
                    raise
        raise AssertionError

    def _send(self, content: bytes, offset: int) -> None:
        growing = self._growing()
        handle = os.open(growing, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not _locked(handle, fcntl.LOCK_SH) or not growing.exists():  # somebody completes, or has completed it
                raise UploadLost
            _write_at(handle, content, offset)
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def _complete(self, size: int) -> str:
        growing = self._growing()
        try:
            handle = os.open(growing, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._completed(size)
        try:
            _wait_for_writers(handle)
            has = os.fstat(handle).st_size
            if has < size:
                raise UploadLost
            if has > size:  # parts that are not among these
                os.ftruncate(handle, size)
            os.fsync(handle)
            growing.replace(self._place)
        except FileNotFoundError:  # completed by somebody else meanwhile
            return self._completed(size)
        finally:
            os.close(handle)
        return self._completed(size)

    def _completed(self, size: int) -> str:
        flush(self._place.parent)
        found = self._place.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            raise UploadLost
        return self._etag_of(found)

    def _abort(self) -> None:
        try:
            self._growing().unlink(missing_ok=True)
        except UploadLost:
            return
        self._tidy()


def flush(path: Path) -> None:
    """Make a file, or the names in a folder, survive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_at(handle: int, content: bytes, offset: int) -> None:
    left = memoryview(content)
    while left:
        written = os.pwrite(handle, left, offset)
        left, offset = left[written:], offset + written


def _wait_for_writers(handle: int) -> None:
    """Have the file alone. Raises TimeoutError when somebody is still writing to it after 20 s."""
    give_up = time.monotonic() + _LOCK_S
    while not _locked(handle, fcntl.LOCK_EX):
        if time.monotonic() > give_up:
            raise TimeoutError
        time.sleep(_LOCK_STEP_S)


def _locked(handle: int, kind: int) -> bool:
    """Lock without waiting; True also where the file system knows no locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
