"""Downloading one artefact over several connections at once, each fetching one segment after the other."""

import asyncio
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from haulier.client.download import Downloaded, Fetch, Interrupted, Progress, Range, check, range_of, refusal
from haulier.client.errors import DownloadDamaged, DownloadFailed
from haulier.client.segments import Segment, SegmentFile
from haulier.client.sinks import BLOCK

PARALLEL_FROM_BYTES = 64 * 2**20
CONNECTIONS = 4


class NotInRanges(Exception):
    """Whoever has the artefact does not give it in ranges, or has another one now: it is to be fetched as a whole."""


async def download_segments(
    file: SegmentFile, fetch: Fetch, *, sha256: str | None, connections: int, on_progress: Progress
) -> Downloaded:
    """Bring the missing segments of `file`, check it and commit it. Raises NotInRanges with nothing kept."""
    while True:
        resumed = file.earlier
        try:
            await _Segments(file, fetch, on_progress).fetch_all(connections)
        except NotInRanges:
            await file.discard()
            raise
        got = await file.digest()
        try:
            check("its SHA-256", got, sha256)
        except DownloadDamaged:
            await file.discard()
            if resumed:  # the older bytes are suspect: once more, from the start
                continue
            raise
        await file.commit()
        return Downloaded(size=file.size, sha256=got, verified=sha256 is not None)


@dataclass(slots=True)
class _Rest:
    """How far a segment has come: bytes from `at` on are missing."""

    segment: Segment
    at: int

    @property
    def end(self) -> int:
        return self.segment.end


class _Segments:
    """One run over the missing segments."""

    def __init__(self, file: SegmentFile, fetch: Fetch, on_progress: Progress) -> None:
        self._file = file
        self._fetch = fetch
        self._on_progress = on_progress
        self._waiting = deque(file.missing())
        self._done = file.held_bytes()

    async def fetch_all(self, connections: int) -> None:
        """Raises what the first connection that fails for good raises; the others end then."""
        self._on_progress(self._done, self._file.size)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(connections, len(self._waiting))):
                    group.create_task(self._connection())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _connection(self) -> None:
        while self._waiting:
            segment = self._waiting.popleft()
            await self._whole(segment)
            await self._file.complete(segment)

    async def _whole(self, segment: Segment) -> None:
        """Fetch a segment through interruptions. Tries without any new byte are bounded, others not."""
        rest, tries = _Rest(segment, segment.start), 0
        while rest.at < rest.end:
            before = rest.at
            try:
                await self._bring(rest)
                if rest.at < rest.end:
                    raise Interrupted(DownloadFailed(f"The download ended early, {rest.end - rest.at} bytes short."))
            except Interrupted as stop:
                tries = 1 if rest.at > before else tries + 1
                await self._fetch.transport.pause(tries, stop.failure, retry_after_s=stop.retry_after_s)

    async def _bring(self, rest: "_Rest") -> None:
        """One answer's bytes; what has arrived when it breaks off is kept."""
        async with self._fetch.open(offset=rest.at, end=rest.end, etag=self._file.etag) as answer:
            await self._refuse_unless_range(answer, rest.at, rest.end)
            buffer = bytearray()
            try:
                async for piece in answer.aiter_raw():
                    buffer += piece
                    if len(buffer) >= BLOCK:
                        full, buffer = buffer, bytearray()
                        await self._keep(full, rest)
            finally:
                if buffer:
                    await self._keep(buffer, rest)

    async def _keep(self, buffer: bytearray, rest: "_Rest") -> None:
        chunk = bytes(buffer[: rest.end - rest.at])
        await self._file.write(chunk, segment=rest.segment, offset=rest.at)
        rest.at += len(chunk)
        self._done += len(chunk)
        self._on_progress(self._done, self._file.size)

    async def _refuse_unless_range(self, answer: httpx.Response, start: int, end: int) -> None:
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            if range_of(answer, etag=self._file.etag) == Range(start, end, self._file.size):
                return
            raise NotInRanges
        if answer.is_success or answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise NotInRanges
        raise await refusal(answer)
