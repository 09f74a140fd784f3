"""Where downloaded bytes go: a file that survives interruptions, or a stream. Files are touched in threads only."""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from haulier.client.errors import DownloadFailed
from haulier.client.file_threads import abandoned_when_cancelled, finished, opened
from haulier.client.part import Part, worded

BLOCK = 2**20


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
    """A part that grows from its beginning; `commit` makes it the file at `path`.

    An interrupted run leaves it, unless no byte had arrived.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self.path = path
        self.held = Held()
        self.offset = 0
        self.earlier = False
        self._part = Part(path, force=force)
        self._hash = hashlib.sha256()
        try:
            self._recall()
        except BaseException:
            os.close(self._part.fd)
            raise

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, force: bool) -> "AsyncGenerator[PartFile]":
        """Raises TargetExists when there is a file at `path` and not `force`, TargetInUse, DownloadFailed."""
        async with opened(worded(path)(partial(cls, path, force=force)), close=cls._close) as part:
            yield part

    async def begin(self, held: Held) -> None:
        with worded(self.path):
            await finished(self._begin, held)

    async def write(self, chunk: bytes) -> None:
        with worded(self.path):
            await finished(self._write, chunk)

    async def digest(self) -> str:
        return self._hash.hexdigest()

    async def commit(self) -> None:
        with worded(self.path):
            await finished(self._part.commit)

    async def discard(self) -> None:
        await self.begin(Held())

    def _recall(self) -> None:
        self.held = self._part.noted(Held) or Held()
        if not self.held.etag or (self.held.size or 0) < self._part.size:
            self._begin(Held())
            return
        while block := os.read(self._part.fd, BLOCK):
            self._hash.update(block)
            self.offset += len(block)
        self.earlier = self.offset > 0

    def _begin(self, held: Held) -> None:
        os.ftruncate(self._part.fd, 0)
        os.lseek(self._part.fd, 0, os.SEEK_SET)
        self.held, self.offset, self.earlier, self._hash = held, 0, False, hashlib.sha256()
        if held.etag:
            self._part.note(held)
        else:
            self._part.forget()

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            written = os.write(self._part.fd, rest)
            self._hash.update(rest[:written])
            self.offset += written
            rest = rest[written:]

    def _close(self) -> None:
        self._part.close(keep=self.offset > 0)


class StreamSink:
    """Hands the bytes to `send` (a blocking call, made in a thread), for a pipe. What went out cannot be taken back.

    Who cancels does not wait for a `send` that hangs: nobody may ever read the pipe.
    """

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
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # what is left over then is of no use to anybody
            return
        await abandoned_when_cancelled(self._send, chunk)
        self._hash.update(chunk)
        self.offset += len(chunk)

    async def digest(self) -> str:
        return self._hash.hexdigest()

    async def commit(self) -> None:
        """All bytes are out already."""

    async def discard(self) -> None:
        """Nothing can be taken back; the caller's error says it."""
