"""`PATH.part`: bytes on their way to a file, and `PATH.part.json` beside it that says what they are of.

One process at a time: the part is locked. What an interrupted run leaves is taken up by the next one.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import msgspec

from haulier.client.errors import DownloadFailed, TargetExists, TargetInUse

Record = TypeVar("Record", bound=msgspec.Struct)


class Part:
    """The two files, open and locked. All calls block.

    Raises TargetExists when there is a file at `path` and not `force`, TargetInUse, DownloadFailed, OSError.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._side = path.with_name(path.name + ".part.json")
        self._force = force
        self.committed = False
        self._refuse_existing()
        self.fd = self._open_locked()

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def note(self, record: msgspec.Struct) -> None:
        """Say what the bytes are of. Replaces the file as a whole: a kill leaves the old or the new one."""
        fresh = self._side.with_name(self._side.name + ".new")
        try:
            fresh.write_bytes(msgspec.json.encode(record))
            fresh.replace(self._side)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def noted(self, kind: type[Record]) -> Record | None:
        """What was noted, unless it is of another kind."""
        try:
            return msgspec.json.decode(self._side.read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def forget(self) -> None:
        """The bytes are of nothing any more."""
        self._side.unlink(missing_ok=True)

    def commit(self) -> None:
        """Make it the file at `path`, durably."""
        os.fsync(self.fd)
        if self._force:
            self._part.replace(self.path)
        else:
            self._publish_once()
        self.forget()
        self.committed = True

    def close(self, *, keep: bool) -> None:
        """Let go of it; what is not worth keeping goes."""
        try:
            if not keep and not self.committed:
                self._part.unlink(missing_ok=True)
                self.forget()
        finally:
            os.close(self.fd)

    def _refuse_existing(self) -> None:
        if not self._force and os.path.lexists(self.path):
            raise TargetExists(self.path)
        refuse_special(self.path)

    def _open_locked(self) -> int:
        while True:
            fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A run that ended between our open and our lock renamed the file that we hold: take the new one.
                if self._part.exists() and os.path.samestat(os.fstat(fd), self._part.stat()):
                    return fd
            except BlockingIOError:
                os.close(fd)
                raise TargetInUse(self.path) from None
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _publish_once(self) -> None:
        """Rename that refuses an existing target, also one that appeared meanwhile."""
        try:
            self.path.hardlink_to(self._part)
        except FileExistsError:
            raise TargetExists(self.path) from None
        except OSError:  # a file system without hard links
            self._refuse_existing()
            self._part.replace(self.path)
        else:
            self._part.unlink()


def refuse_special(path: Path) -> None:
    """Raises DownloadFailed for a device, a pipe or a socket: a file renamed to its path would replace it."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise DownloadFailed(f"{path} is neither a file nor a folder. Choose another place.")


@contextlib.contextmanager
def worded(path: Path) -> Generator[None]:
    """Turn what the file system says into a sentence."""
    try:
        yield
    except OSError as error:
        raise DownloadFailed(f"{path} cannot be written: {error.strerror or error}.") from error
