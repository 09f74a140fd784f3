"""A part that grows in several places at once: segments of one artefact, each noted as far as it has come.

The note survives kill -9, so that the next run fetches what is missing only. The digest follows the beginning of
the file as far as it is whole. Files are touched in threads only.
"""

import hashlib
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock

import msgspec

from haulier.client.file_threads import finished, opened
from haulier.client.part import Part, worded
from haulier.client.sinks import BLOCK, Held

SEGMENT_BYTES = 16 * 2**20
NOTED_EVERY_BYTES = 4 * 2**20  # what a kill -9 costs at most


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which artefact the segments are of, which of them are whole, and up to which byte (exclusive) others are."""

    etag: str
    size: int
    sha256: str | None
    segment_bytes: int
    whole: tuple[int, ...] = ()
    reached: Mapping[int, int] = {}


class Segment(msgspec.Struct, frozen=True):
    """What is missing of a segment: bytes `start` to `end` (exclusive) of the artefact."""

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
        self._unnoted = 0
        try:
            self._plan = self._recall(Plan(etag, size, sha256, SEGMENT_BYTES))
            self._note()
        except BaseException:
            os.close(self._part.fd)
            raise
        self.earlier = self.held_bytes() > 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, force: bool, etag: str, size: int, sha256: str | None
    ) -> "AsyncGenerator[SegmentFile]":
        """Raises TargetExists when there is a file at `path` and not `force`, TargetInUse, DownloadFailed."""
        make = partial(cls, path, force=force, etag=etag, size=size, sha256=sha256)
        async with opened(worded(path)(make), close=cls._close) as file:
            yield file

    @property
    def etag(self) -> str:
        return self._plan.etag

    def missing(self) -> list[Segment]:
        """What is missing of the segments that are not whole yet, in order."""
        whole, reached = set(self._plan.whole), self._plan.reached
        spans = enumerate(_spans(self.size, self._plan.segment_bytes))
        return [Segment(n, reached.get(n, start), end) for n, (start, end) in spans if n not in whole]

    def held_bytes(self) -> int:
        """How many bytes are there."""
        return self.size - sum(segment.end - segment.start for segment in self.missing())

    async def write(self, chunk: bytes, *, segment: Segment, offset: int) -> None:
        """Bytes of `segment` from `offset` on, which is where what is there of it ends."""
        with worded(self.path):
            await finished(self._write, chunk, segment.number, offset)

    async def complete(self, segment: Segment) -> None:
        """All bytes of the segment are written."""
        with worded(self.path):
            await finished(self._complete, segment.number)

    async def digest(self) -> str:
        """SHA-256 of all bytes, once no segment is missing."""
        with worded(self.path):
            return await finished(self._digest)

    async def commit(self) -> None:
        with worded(self.path):
            await finished(self._part.commit)

    async def discard(self) -> None:
        """The bytes are wrong: leave none."""
        with worded(self.path):
            await finished(self._discard)

    def _recall(self, wanted: Plan) -> Plan:
        """The plan of an earlier run for the same artefact, or what a sequential one has left of it."""
        there = self._part.size
        known, begun = self._part.noted(Plan), self._part.noted(Held)
        if known is not None and _same(known, wanted) and there <= wanted.size:
            return _believable(known, there)
        if begun is not None and (begun.etag, begun.size) == (wanted.etag, wanted.size) and there <= wanted.size:
            length = wanted.segment_bytes
            begun_at = {there // length: there} if there % length else {}
            return msgspec.structs.replace(wanted, whole=tuple(range(there // length)), reached=begun_at)
        os.ftruncate(self._part.fd, 0)
        return wanted

    def _note(self) -> None:
        self._part.note(self._plan)
        self._unnoted = 0

    def _write(self, chunk: bytes, number: int, offset: int) -> None:
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(self._part.fd, rest, offset)
            offset += written
            rest = rest[written:]
        with self._lock:
            self._plan = msgspec.structs.replace(self._plan, reached={**self._plan.reached, number: offset})
            self._unnoted += len(chunk)
            if self._unnoted >= NOTED_EVERY_BYTES:
                self._note()

    def _complete(self, number: int) -> None:
        with self._lock:
            reached = {other: end for other, end in self._plan.reached.items() if other != number}
            self._plan = msgspec.structs.replace(self._plan, whole=(*self._plan.whole, number), reached=reached)
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
            self._plan = msgspec.structs.replace(self._plan, whole=(), reached={})
            self._hash, self._hashed, self.earlier = hashlib.sha256(), 0, False

    def _close(self) -> None:
        with self._lock:
            keep = self.held_bytes() > 0
            if keep and not self._part.committed:
                with suppress(OSError):  # a full disk: the note before it holds
                    self._note()
            self._part.close(keep=keep)


def _spans(size: int, length: int) -> list[tuple[int, int]]:
    return [(start, min(start + length, size)) for start in range(0, size, length)]


def _same(one: Plan, other: Plan) -> bool:
    return msgspec.structs.replace(one, whole=(), reached={}) == msgspec.structs.replace(other, whole=(), reached={})


def _believable(noted: Plan, there: int) -> Plan:
    """What of a note can be so with `there` bytes in the file.

    It may outlive them, and without a digest nobody would notice.
    """
    spans = dict(enumerate(_spans(noted.size, noted.segment_bytes)))
    whole = tuple(n for n in noted.whole if n in spans and spans[n][1] <= there)
    reached = {n: at for n, at in noted.reached.items() if n in spans and spans[n][0] < at <= min(spans[n][1], there)}
    return msgspec.structs.replace(noted, whole=whole, reached=reached)
