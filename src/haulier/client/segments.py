"""A part that grows in several places at once: segments of one artefact, each noted when it is whole.

The note survives kill -9, so that the next run fetches the missing segments only. The digest follows the beginning of
the file as far as it is whole. Files are touched in threads only.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock

import msgspec

from haulier.client.part import Part, worded
from haulier.client.sinks import BLOCK, Held

SEGMENT_BYTES = 16 * 2**20


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which artefact the segments are of, and which of them are whole."""

    etag: str
    size: int
    sha256: str | None
    segment_bytes: int
    whole: tuple[int, ...] = ()


class Segment(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` (exclusive) of the artefact."""

    number: int
    start: int
    end: int


class SegmentFile:
    """The segments of one artefact in `path.part`. `earlier`: some are from an earlier run."""

    def __init__(self, path: Path, *, force: bool, etag: str, size: int, sha256: str | None) -> None:
        self.path = path
        self.size = size
        self._lock = Lock()
        self._part = Part(path, force=force)
        self._hash = hashlib.sha256()
        self._hashed = 0
        try:
            self._plan = self._recall(Plan(etag, size, sha256, SEGMENT_BYTES))
            self._note()
        except BaseException:
            os.close(self._part.fd)
            raise
        self.earlier = bool(self._plan.whole)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, force: bool, etag: str, size: int, sha256: str | None
    ) -> "AsyncGenerator[SegmentFile]":
        """Raises TargetExists when there is a file at `path` and not `force`, TargetInUse, DownloadFailed."""
        with worded(path):
            file = await asyncio.to_thread(cls, path, force=force, etag=etag, size=size, sha256=sha256)
        try:
            yield file
        finally:
            await asyncio.shield(asyncio.to_thread(file._close))

    @property
    def etag(self) -> str:
        return self._plan.etag

    def missing(self) -> list[Segment]:
        """The segments that are not whole yet, in order."""
        length = self._plan.segment_bytes
        starts = enumerate(range(0, self.size, length))
        whole = set(self._plan.whole)
        return [Segment(n, start, min(start + length, self.size)) for n, start in starts if n not in whole]

    def held_bytes(self) -> int:
        """How many bytes are in whole segments."""
        return self.size - sum(segment.end - segment.start for segment in self.missing())

    async def write(self, chunk: bytes, *, offset: int) -> None:
        with worded(self.path):
            await asyncio.to_thread(self._write, chunk, offset)

    async def complete(self, segment: Segment) -> None:
        """All bytes of the segment are written."""
        with worded(self.path):
            await asyncio.to_thread(self._complete, segment.number)

    async def digest(self) -> str:
        """SHA-256 of all bytes, once no segment is missing."""
        with worded(self.path):
            return await asyncio.to_thread(self._digest)

    async def commit(self) -> None:
        with worded(self.path):
            await asyncio.to_thread(self._part.commit)

    async def discard(self) -> None:
        """The bytes are wrong: leave none."""
        with worded(self.path):
            await asyncio.to_thread(self._discard)

    def _recall(self, wanted: Plan) -> Plan:
        """The plan of an earlier run for the same artefact, or what a sequential one has left of it."""
        known = self._part.noted(Plan)
        if known is not None and _same(known, wanted):
            # A note may outlive its bytes, and without a digest nobody would notice.
            ends = {number: min((number + 1) * wanted.segment_bytes, wanted.size) for number in known.whole}
            return msgspec.structs.replace(known, whole=tuple(n for n in known.whole if ends[n] <= self._part.size))
        begun = self._part.noted(Held)
        if begun is not None and (begun.etag, begun.size) == (wanted.etag, wanted.size):
            return msgspec.structs.replace(wanted, whole=tuple(range(self._part.size // wanted.segment_bytes)))
        os.ftruncate(self._part.fd, 0)
        return wanted

    def _note(self) -> None:
        self._part.note(self._plan)

    def _write(self, chunk: bytes, offset: int) -> None:
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(self._part.fd, rest, offset)
            offset += written
            rest = rest[written:]

    def _complete(self, number: int) -> None:
        with self._lock:
            self._plan = msgspec.structs.replace(self._plan, whole=(*self._plan.whole, number))
            self._note()
            self._hash_on()

    def _hash_on(self) -> None:
        """Digest what is whole from the beginning on."""
        missing = self.missing()
        end = missing[0].start if missing else self.size
        while self._hashed < end:
            block = os.pread(self._part.fd, min(BLOCK, end - self._hashed), self._hashed)
            if not block:  # somebody has cut the file
                return
            self._hash.update(block)
            self._hashed += len(block)

    def _digest(self) -> str:
        with self._lock:
            self._hash_on()
            return self._hash.hexdigest()

    def _discard(self) -> None:
        with self._lock:
            os.ftruncate(self._part.fd, 0)
            self._part.forget()
            self._plan = msgspec.structs.replace(self._plan, whole=())
            self._hash, self._hashed, self.earlier = hashlib.sha256(), 0, False

    def _close(self) -> None:
        with self._lock:
            self._part.close(keep=bool(self._plan.whole))


def _same(one: Plan, other: Plan) -> bool:
    return msgspec.structs.replace(one, whole=()) == msgspec.structs.replace(other, whole=())
