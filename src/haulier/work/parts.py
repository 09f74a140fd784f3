"""Writing an artefact in parts: cut, digested, sent a few at a time, and noted so that another attempt can go on.

Memory is bounded by PARTS_AT_A_TIME and one more part, whatever the size of the artefact.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, cast, get_args

import msgspec

from haulier.digests import Name, ResumableDigest
from haulier.errors import LedgerUnavailable
from haulier.failpoints import Point, reached
from haulier.ledger import KeptPart
from haulier.preparers import Mark
from haulier.storage import Part, Upload

PARTS_AT_A_TIME = 3
LAST_NOTE_S = 2.0
SETTLE_S = 3.0
NAMES: tuple[Name, ...] = get_args(Name)

Note = Callable[[Sequence[KeptPart]], Awaitable[object]]


class Digests:
    """The SHA-256 of what was written so far, and every other digest that the source states."""

    def __init__(self, also: Iterable[str] = (), *, states: bytes | None = None) -> None:
        known = msgspec.msgpack.decode(states, type=dict[str, bytes]) if states else {}
        self._digests = {
            name: ResumableDigest(name, known.get(name)) for name in NAMES if name == "sha-256" or name in also
        }

    def update(self, content: bytes) -> None:
        for digest in self._digests.values():
            digest.update(content)

    @property
    def sha256(self) -> bytes:
        return self._digests["sha-256"].digest()

    def contradict(self, stated: Mapping[str, bytes]) -> bool:
        """Whether any digest that the source states is another one; those of kinds that nobody knows are not."""
        return any(digest.digest() != stated.get(name, digest.digest()) for name, digest in self._digests.items())

    def states(self) -> bytes | None:
        """What a later attempt goes on with, or None when this machine cannot tell."""
        states = {name: digest.state() for name, digest in self._digests.items()}
        return None if None in states.values() else msgspec.msgpack.encode(states)


class Progressed(msgspec.Struct, frozen=True):
    """Where an earlier attempt stopped: its parts, and the mark to open the stream with."""

    parts: tuple[Part, ...] = ()
    states: bytes | None = None
    mark: Mark | None = None
    mark_offset: int = 0

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


def progressed(kept: Sequence[KeptPart]) -> Progressed:
    """What the ledger's parts amount to."""
    if not kept:
        return Progressed()
    last = kept[-1]
    return Progressed(
        parts=tuple(Part(part.number, part.size, part.etag) for part in kept),
        states=last.digests,
        mark=Mark(last.mark, b"".join(part.log for part in kept)),
        mark_offset=last.mark_offset,
    )


class PartWriter:
    """One artefact being written.

    `begin` starts the upload when the first part is full: a smaller artefact needs none. `upload` is that of `since`.
    """

    def __init__(
        self,
        *,
        part_bytes: int,
        begin: Callable[[], Awaitable[Upload]],
        note: Note,
        digests: Digests,
        since: Progressed,
        upload: Upload | None,
    ) -> None:
        self._part_bytes = part_bytes
        self._begin = begin
        self._note = note
        self.digests = digests
        self.upload = upload
        self.size = since.size
        self.parts: dict[int, Part] = {part.number: part for part in since.parts}
        self._noted = len(since.parts)
        self._unnoted: dict[int, KeptPart] = {}
        self._mark: Mark | None = since.mark
        self._mark_offset = since.mark_offset
        self._log: list[bytes] = []
        self._skip = since.size - since.mark_offset
        self._at = since.mark_offset
        self._chunks: list[memoryview] = []
        self._held = 0
        self._slots = asyncio.Semaphore(PARTS_AT_A_TIME)
        self._in_order = asyncio.Lock()
        self._is_noting = False
        self._on_their_way: set[asyncio.Task[None]] = set()

    async def write(self, items: AsyncIterator[bytes | Mark], *, check: Callable[[], None]) -> bytes | None:
        """Take everything. Answers the artefact's bytes when they are fewer than a part and none was sent; else None.

        Whatever interrupts it, what the store has by then is noted.
        """
        try:
            async with asyncio.TaskGroup() as sending:
                await self._take_all(items, check, sending)
        except BaseExceptionGroup as group:
            await self._last_note()
            raise _first(group) from group
        except BaseException:
            await self._last_note()
            raise
        if self.upload is None:
            content = await asyncio.to_thread(self._sealed, self._chunks)
            self.size = len(content)
            return content
        return None

    async def _take_all(
        self, items: AsyncIterator[bytes | Mark], check: Callable[[], None], sending: asyncio.TaskGroup
    ) -> None:
        try:
            async with aclosing(cast("Any", items)):
                async for item in items:
                    check()
                    if isinstance(item, Mark):
                        self._marked(item)
                    else:
                        await self._take(item, sending)
            if self._chunks and self.upload is not None:
                await self._send(sending)
        except BaseException:
            # What is on its way would be made again: it gets a moment to arrive.
            if self._on_their_way:
                await asyncio.wait(self._on_their_way, timeout=SETTLE_S)
            raise

    def _marked(self, mark: Mark) -> None:
        self._mark, self._mark_offset = mark, self._at
        self._log.append(mark.log)

    async def _take(self, chunk: bytes, sending: asyncio.TaskGroup) -> None:
        self._at += len(chunk)
        view = memoryview(chunk)
        if self._skip:  # an earlier attempt had these stored
            skipped = min(self._skip, len(view))
            self._skip -= skipped
            view = view[skipped:]
        while view:
            room = self._part_bytes - self._held
            self._chunks.append(view[:room])
            self._held += len(self._chunks[-1])
            view = view[room:]
            if self._held == self._part_bytes:
                await self._send(sending)

    async def _send(self, sending: asyncio.TaskGroup) -> None:
        await self._slots.acquire()
        if self.upload is None:
            self.upload = await self._begin()
        number = 1 + self.size // self._part_bytes
        self.size += self._held
        place = None
        # A last, shorter part is sent again by who goes on: all parts that are noted have the same size.
        if self._mark is not None and self._held == self._part_bytes:
            place = (self._mark, self._mark_offset, b"".join(self._log))
        sent = sending.create_task(self._store(self.upload, number, self._chunks, place))
        self._chunks, self._held, self._log = [], 0, []
        self._on_their_way.add(sent)
        sent.add_done_callback(self._on_their_way.discard)

    async def _store(
        self, upload: Upload, number: int, chunks: list[memoryview], place: tuple[Mark, int, bytes] | None
    ) -> None:
        try:
            async with self._in_order:  # whoever came first gets the lock first
                content = await asyncio.to_thread(self._sealed, chunks)
                states = self.digests.states()
            part = await upload.send(number, content)
        finally:
            self._slots.release()
        self.parts[number] = part
        if place is not None and states is not None:
            mark, offset, log = place
            self._unnoted[number] = KeptPart(
                number=number,
                size=part.size,
                etag=part.etag,
                digests=states,
                mark_offset=offset,
                mark=mark.state,
                log=log,
            )
        del content
        await self._note_soon()
        await reached(Point.PART_SENT)

    def _sealed(self, chunks: list[memoryview]) -> bytes:
        """The chunks as one, digested; takes them, so that memory holds each byte twice for a moment only."""
        content = b"".join(chunks)
        chunks.clear()
        self.digests.update(content)
        return content

    async def _note_soon(self) -> None:
        """Note what can be, one call at a time: parts that arrive meanwhile are noted together with the next."""
        if self._is_noting:
            return
        self._is_noting = True
        try:
            with suppress(LedgerUnavailable):  # they are noted with the next ones
                while await self.note():
                    pass
        finally:
            self._is_noting = False

    async def note(self) -> bool:
        """Note the parts that follow each other from the first on and are with the store; whether there were any."""
        ready: list[KeptPart] = []
        number = self._noted + 1
        while number in self._unnoted:
            ready.append(self._unnoted[number])
            number += 1
        if not ready:
            return False
        await self._note(ready)
        self._noted = ready[-1].number
        for part in ready:
            self._unnoted.pop(part.number, None)
        return True

    async def _last_note(self) -> None:
        with suppress(LedgerUnavailable, TimeoutError):
            async with asyncio.timeout(LAST_NOTE_S):
                await self.note()

    def in_order(self) -> list[Part]:
        """All parts, for completing the upload."""
        return [self.parts[number] for number in sorted(self.parts)]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the others: a task group wraps what a single one would have raised."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
