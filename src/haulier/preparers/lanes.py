"""Members read and packed ahead of the one that is being written: each in a lane of its own, a few lanes at a time.

What comes out is in order, errors too. Closing the generator ends every task and closes every source.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import msgspec
from isal import isal_zlib

from haulier.digests import ResumableDigest
from haulier.preparers.compressible import SAMPLE_BYTES, is_compressed
from haulier.preparers.segments import FINAL, Segment, deflated, sample, segments, stored
from haulier.preparers.zipping import Member, Sums, data_descriptor, local_header

Answer = TypeVar("Answer")

LANES = 4
# In each lane, besides the one that waits for its place there: bounds the memory.
SEGMENTS_AHEAD = 1


class Packed(msgspec.Struct, frozen=True):
    """A member that is in the archive."""

    sums: Sums
    sha256: bytes


class Halfway(msgspec.Struct, frozen=True):
    """A member after some whole segments: what its next one is packed with."""

    segments: int
    stored: bool
    sums: Sums
    sha256: bytes


class Piece(msgspec.Struct, frozen=True):
    """The archive's next bytes: `read` bytes of sources, `packed` members that end in it, the member it stops in."""

    content: Sequence[bytes]
    read: int
    packed: Sequence[Packed] = ()
    halfway: Halfway | None = None


class Lane(Protocol):
    """One or a few members. `alone`: the next lane must not be asked for before this one is over."""

    alone: bool

    def start(self) -> None: ...

    def pieces(self) -> AsyncGenerator[Piece, None]: ...

    async def aclose(self) -> None: ...


async def in_order(lanes: AsyncGenerator[Lane, None]) -> AsyncGenerator[Piece, None]:
    """What all lanes give, with up to LANES of them running."""
    running: deque[Lane] = deque()
    more = True
    try:
        async with aclosing(lanes):
            while more or running:
                while more and len(running) < LANES and not (running and running[-1].alone):
                    lane = await anext(lanes, None)
                    if lane is None:
                        more = False
                    else:
                        lane.start()
                        running.append(lane)
                if running:
                    async with aclosing(running[0].pieces()) as pieces:
                        async for piece in pieces:
                            yield piece
                    await running.popleft().aclose()
    finally:
        for lane in running:
            await lane.aclose()


class _Tasks:
    """Tasks of a lane, which end with it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> "asyncio.Task[Answer]":
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it is told; asyncio must not complain when nobody does

    async def aclose(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class FewLane:
    """Small members, read together and packed in one go."""

    alone = False

    def __init__(self, members: Sequence[Member], *, read: Callable[[], Coroutine[Any, Any, Sequence[bytes]]]) -> None:
        self._members = members
        self._read = read
        self._tasks = _Tasks()

    def start(self) -> None:
        self._packing = self._tasks.run(self._pack())

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        yield await self._packing

    async def _pack(self) -> Piece:
        return await asyncio.to_thread(_pack_few, self._members, await self._read())

    async def aclose(self) -> None:
        await self._tasks.aclose()


def _pack_few(members: Sequence[Member], contents: Sequence[bytes]) -> Piece:
    parts: list[bytes] = []
    packed: list[Packed] = []
    for member, content in zip(members, contents, strict=True):
        body = b""
        if content:
            segment = (content,)
            body = stored(segment) if is_compressed(member.name.decode(), content) else deflated(segment)
        sums = Sums(isal_zlib.crc32(content), len(content), len(body) + len(FINAL))
        parts += (local_header(member), body, FINAL, data_descriptor(member, sums))
        packed.append(Packed(sums, hashlib.sha256(content).digest()))
    return Piece((b"".join(parts),), sum(map(len, contents)), packed)


class _Summed(msgspec.Struct, frozen=True):
    """A member's CRC, size and state of SHA-256 behind a segment, and the segment when it was stored."""

    crc: int
    size: int
    state: bytes | None
    content: bytes = b""


class _End(msgspec.Struct, frozen=True):
    error: Exception | None


class _Work(msgspec.Struct, frozen=True):
    """A segment on its way. `deflating` is None when it is stored."""

    read: int
    summing: "asyncio.Task[_Summed]"
    deflating: "asyncio.Task[bytes] | None"


class OneLane:
    """One member of any size, from its start or from where `since` stopped.

    Segments are compressed at the same time; CRC and SHA-256 go through them one after the other. `read` takes the
    segment's number to start at.
    """

    def __init__(
        self, member: Member, *, read: Callable[[int], AsyncIterator[bytes]], since: Halfway | None, alone: bool = False
    ) -> None:
        self.alone = alone
        self._member = member
        self._read = read
        self._since = since
        self._stored = since.stored if since else None
        self._digest = ResumableDigest("sha-256", since.sha256 if since else None)
        self._crc, self._size = (since.sums.crc, since.sums.size) if since else (0, 0)
        self._turn = asyncio.Lock()  # given in the order of asking
        self._ahead: asyncio.Queue[_Work | _End] = asyncio.Queue(SEGMENTS_AHEAD)
        self._tasks = _Tasks()

    def start(self) -> None:
        self._tasks.run(self._read_all())

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        done = self._since.segments if self._since else 0
        compressed = self._since.sums.compressed if self._since else 0
        before = () if self._since else (local_header(self._member),)
        while isinstance(work := await self._ahead.get(), _Work):
            summed = await work.summing
            body = summed.content if work.deflating is None else await work.deflating
            is_stored = work.deflating is None
            done += 1
            compressed += len(body)
            halfway = None
            if summed.state is not None:
                sums = Sums(summed.crc, summed.size, compressed)
                halfway = Halfway(done, is_stored, sums, summed.state)
            read = work.read
            del work, summed  # nothing may keep the segment longer than its reader does
            yield Piece((*before, body), read, halfway=halfway)
            del body
            before = ()
        if work.error is not None:
            raise work.error
        sums = Sums(self._crc, self._size, compressed + len(FINAL))
        tail = FINAL + data_descriptor(self._member, sums)
        yield Piece((*before, tail), 0, (Packed(sums, self._digest.digest()),))

    async def _read_all(self) -> None:
        error = None
        try:
            async with aclosing(segments(self._read(self._since.segments if self._since else 0))) as found:
                async for segment in found:
                    await self._ahead.put(self._work(segment))
        except Exception as raised:  # told when it is this member's turn
            error = raised
        await self._ahead.put(_End(error))

    def _work(self, segment: Segment) -> _Work:
        if self._stored is None:
            self._stored = is_compressed(self._member.name.decode(), sample(segment, SAMPLE_BYTES))
        summing = self._tasks.run(self._summed(segment))
        deflating = None if self._stored else self._tasks.run(asyncio.to_thread(deflated, segment))
        return _Work(sum(map(len, segment)), summing, deflating)

    async def _summed(self, segment: Segment) -> _Summed:
        async with self._turn:
            return await asyncio.to_thread(self._sum, segment)

    def _sum(self, segment: Segment) -> _Summed:
        for piece in segment:
            self._digest.update(piece)
            self._crc = isal_zlib.crc32(piece, self._crc)
            self._size += len(piece)
        return _Summed(self._crc, self._size, self._digest.state(), stored(segment) if self._stored else b"")
