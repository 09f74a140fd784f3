"""Where downloaded bytes go: a file that survives interruptions, or a stream. Files are touched in threads only."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

import msgspec

from haulier.client.errors import DownloadFailed, TargetExists, TargetInUse

BLOCK = 2**20


class Held(msgspec.Struct, frozen=True):
    """Which artefact a sink's bytes are the beginning of. Without a strong `etag` they cannot be resumed."""

    etag: str = ""
    size: int | None = None
    sha256: str | None = None


class Sink(Protocol):
    """Receives the bytes of one artefact, in order. `earlier` says whether some of them are from an earlier run."""

    held: Held
    offset: int
    earlier: bool

    async def begin(self, held: Held) -> None:
        """Forget all bytes and expect those of `held`. Raises DownloadFailed when they are out of reach already."""
        ...

    async def write(self, chunk: bytes) -> None: ...

    async def digest(self) -> str:
        """SHA-256 of all bytes, as 64 hex digits."""
        ...

    async def commit(self) -> None:
        """The bytes are right: make them visible."""
        ...

    async def discard(self) -> None:
        """The bytes are wrong: leave none."""
        ...


class PartFile:
    """`path.part` and, beside it, `path.part.json` that says what it is a part of; `commit` renames it to `path`.

    One process at a time: the part is locked. An interrupted run leaves both files, unless no byte had arrived.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self.path = path
        self.held = Held()
        self.offset = 0
        self.earlier = False
        self._part = path.with_name(path.name + ".part")
        self._side = path.with_name(path.name + ".part.json")
        self._force = force
        self._committed = False
        self._lock = Lock()  # a cancelled write goes on in its thread; the next call waits for it
        self._refuse_existing()
        self._fd = self._open_locked()
        self._hash = hashlib.sha256()
        try:
            self._recall()
        except BaseException:
            os.close(self._fd)
            raise

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, force: bool) -> "AsyncGenerator[PartFile]":
        """Raises TargetExists when there is a file at `path` and not `force`, TargetInUse, DownloadFailed."""
        with _worded(path):
            part = await asyncio.to_thread(cls, path, force=force)
        try:
            yield part
        finally:
            await asyncio.shield(asyncio.to_thread(part._close))

    async def begin(self, held: Held) -> None:
        with _worded(self.path):
            await asyncio.to_thread(self._begin, held)

    async def write(self, chunk: bytes) -> None:
        with _worded(self.path):
            await asyncio.to_thread(self._write, chunk)

    async def digest(self) -> str:
        return self._hash.hexdigest()

    async def commit(self) -> None:
        with _worded(self.path):
            await asyncio.to_thread(self._commit)

    async def discard(self) -> None:
        await self.begin(Held())

    def _refuse_existing(self) -> None:
        if not self._force and os.path.lexists(self.path):
            raise TargetExists(self.path)

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

    def _recall(self) -> None:
        try:
            self.held = msgspec.json.decode(self._side.read_bytes(), type=Held)
        except (FileNotFoundError, msgspec.MsgspecError):
            self.held = Held()
        if not self.held.etag or (self.held.size or 0) < os.fstat(self._fd).st_size:
            self._begin(Held())
            return
        while block := os.read(self._fd, BLOCK):
            self._hash.update(block)
            self.offset += len(block)
        self.earlier = self.offset > 0

    def _begin(self, held: Held) -> None:
        with self._lock:
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            self.held, self.offset, self.earlier, self._hash = held, 0, False, hashlib.sha256()
            if held.etag:
                self._side.write_bytes(msgspec.json.encode(held))
            else:
                self._side.unlink(missing_ok=True)

    def _write(self, chunk: bytes) -> None:
        with self._lock:
            rest = memoryview(chunk)
            while rest:
                written = os.write(self._fd, rest)
                self._hash.update(rest[:written])
                self.offset += written
                rest = rest[written:]

    def _commit(self) -> None:
        with self._lock:
            os.fsync(self._fd)
            if self._force:
                self._part.replace(self.path)
            else:
                self._publish_once()
            self._side.unlink(missing_ok=True)
            self._committed = True

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

    def _close(self) -> None:
        with self._lock:
            if self.offset == 0 and not self._committed:
                self._part.unlink(missing_ok=True)
                self._side.unlink(missing_ok=True)
            os.close(self._fd)


class StreamSink:
    """Hands the bytes to `send` (a blocking call, made in a thread), for a pipe. What went out cannot be taken back."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        self.held = Held()
        self.offset = 0
        self.earlier = False
        self._send = send
        self._hash = hashlib.sha256()

    async def begin(self, held: Held) -> None:
        if self.offset:
            raise DownloadFailed("The file changed while it was streamed. Download it again, best to a file.")
        self.held = held

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._send, chunk)
        self._hash.update(chunk)
        self.offset += len(chunk)

    async def digest(self) -> str:
        return self._hash.hexdigest()

    async def commit(self) -> None:
        """All bytes are out already."""

    async def discard(self) -> None:
        """Nothing can be taken back; the caller's error says it."""


@contextlib.contextmanager
def _worded(path: Path) -> Generator[None]:
    """Turn what the file system says into a sentence."""
    try:
        yield
    except OSError as error:
        raise DownloadFailed(f"{path} cannot be written: {error.strerror or error}.") from error
