"""An archive from its plan: members in order, the manifest, the directory; with marks to go on from."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial

from haulier.errors import SourceChanged, SourceDenied, SourceMissing
from haulier.preparers.lanes import FewLane, Lane, OneLane, Piece, in_order
from haulier.preparers.manifest import NAME, Listed, manifest
from haulier.preparers.marking import Place, marked
from haulier.preparers.planning import Plan
from haulier.preparers.port import Build, Mark, Stream
from haulier.preparers.segments import SEGMENT_BYTES
from haulier.preparers.sources import Entry, read, read_few
from haulier.preparers.zipping import Member, Sums, directory, needs_zip64

MARK_EVERY = 2**20
JOINED_BYTES = 2**18
# Members up to this size are read whole and many at a time: what costs then is each one's way to a thread and back.
FEW_BYTES = 2**16
FEW_MEMBERS = 256
FEW_TOGETHER_BYTES = 2**20
_LARGE_MANIFEST = 400_000  # members whose lines may fill 4 GiB


class Assembly:
    """One archive being written from `place` on. `plan_digest` None: no marks, nobody could go on from them."""

    def __init__(self, build: Build, plan: Plan, place: Place, *, plan_digest: str | None) -> None:
        self._build = build
        self._plan = plan
        self._plan_digest = plan_digest
        self._place = place
        self._marked_at = place.offset
        self._total = plan.total

    async def run(self) -> AsyncGenerator[bytes | Mark, None]:
        """The archive's bytes and marks."""
        for entry in self._plan.entries[: len(self._place.records)]:
            self._settle(entry)
        for lanes in (self._lanes, self._manifest_lane):
            async with aclosing(self._written(self._found(in_order(lanes())))) as items:
                async for item in items:
                    yield item
        pieces = directory(self._members())
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece

    async def _written(self, pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[bytes | Mark, None]:
        """Bytes and marks of `pieces`; small ones are joined, so that tiny members are not as many writes."""
        waiting: list[bytes] = []
        size = 0
        async with aclosing(pieces):
            async for piece in pieces:
                self._take(piece)
                waiting += piece.content
                size += sum(map(len, piece.content))
                is_due = self._is_due(piece)
                if size >= JOINED_BYTES or is_due:
                    for content in _joined(waiting):
                        yield content
                    waiting, size = [], 0
                if is_due:
                    yield self._mark()
        for content in _joined(waiting):
            yield content

    async def _found(self, pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
        """`pieces`. A source that may be missing and vanishes now has changed: the next attempt will leave it out."""
        async with aclosing(pieces):
            try:
                async for piece in pieces:
                    yield piece
            except (SourceMissing, SourceDenied) as error:
                if self._plan.allow_missing:
                    raise SourceChanged(name=error.facts.get("name")) from error
                raise

    def _take(self, piece: Piece) -> None:
        place, entries = self._place, self._plan.entries
        place.offset += sum(map(len, piece.content))
        place.halfway = piece.halfway
        if piece.read and len(place.records) < len(entries):  # not the manifest's
            place.read += piece.read
            self._build.report(done=place.read, total=self._total, stage="archiving")
        for packed in piece.packed:
            if len(place.records) < len(entries):
                self._settle(entries[len(place.records)])
            place.records.add(packed)

    def _settle(self, entry: Entry) -> None:
        if entry.index is not None:
            self._build.settled(entry.index)

    def _is_due(self, piece: Piece) -> bool:
        can_be_continued = bool(piece.packed) or piece.halfway is not None
        is_far = self._place.offset - self._marked_at >= MARK_EVERY
        return self._plan_digest is not None and can_be_continued and is_far

    def _mark(self) -> Mark:
        assert self._plan_digest is not None
        self._marked_at = self._place.offset
        return marked(self._place, plan=self._plan_digest)

    async def _lanes(self) -> AsyncGenerator[Lane, None]:
        since = self._place.halfway
        few = _Few()
        async with aclosing(self._plan.each(len(self._place.records))) as members:
            async for entry, name in members:
                is_small = since is None and _is_small(entry)
                if few.entries and (not is_small or few.is_full(entry)):
                    yield self._few_lane(few)
                    few = _Few()
                if is_small:
                    few.add(entry, name)
                    continue
                alone = isinstance(entry.part, Stream)
                yield OneLane(_member(entry, name), read=self._reader(entry), since=since, alone=alone)
                since = None
        if few.entries:
            yield self._few_lane(few)

    def _few_lane(self, few: "_Few") -> Lane:
        return FewLane(few.members, read=partial(read_few, few.entries, storage=self._build.storage))

    def _reader(self, entry: Entry) -> Callable[[int], AsyncGenerator[bytes, None]]:
        return lambda segment: read(entry, storage=self._build.storage, start=segment * SEGMENT_BYTES)

    async def _manifest_lane(self) -> AsyncGenerator[Lane, None]:
        if len(self._place.records) == len(self._plan.entries):
            member = Member(NAME.encode(), None, len(self._plan.entries) >= _LARGE_MANIFEST)
            yield OneLane(member, read=self._manifest, since=self._place.halfway)

    async def _manifest(self, segment: int) -> AsyncGenerator[bytes, None]:
        skipped = segment * SEGMENT_BYTES
        plan = self._plan
        listed = (
            Listed(name, entry, packed.sums.size, packed.sha256)
            for name, entry, packed in zip(plan.names, plan.entries, self._place.records, strict=True)
        )
        pieces = manifest(listed, plan.missing)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            if skipped < len(piece):
                yield piece[skipped:]
            skipped = max(0, skipped - len(piece))

    def _members(self) -> Iterator[tuple[Member, Sums]]:
        """Every member with its sums, for the directory."""
        *records, last = self._place.records
        for entry, name, packed in zip(self._plan.entries, self._plan.names, records, strict=True):
            yield _member(entry, name), packed.sums
        yield Member(NAME.encode(), None, len(self._plan.entries) >= _LARGE_MANIFEST), last.sums


class _Few:
    """Small members that go through a lane together."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.members: list[Member] = []
        self._size = 0

    def is_full(self, following: Entry) -> bool:
        return len(self.entries) >= FEW_MEMBERS or self._size + (following.size or 0) > FEW_TOGETHER_BYTES

    def add(self, entry: Entry, name: str) -> None:
        self.entries.append(entry)
        self.members.append(_member(entry, name))
        self._size += entry.size or 0


def _is_small(entry: Entry) -> bool:
    return entry.part is None and entry.size is not None and entry.size <= FEW_BYTES


def _member(entry: Entry, name: str) -> Member:
    return Member(name.encode(), entry.modified, needs_zip64(entry.size))


def _joined(contents: Sequence[bytes]) -> Iterator[bytes]:
    """The same bytes, small pieces joined; large ones are not copied."""
    small: list[bytes] = []
    for content in contents:
        if len(content) < JOINED_BYTES:
            small.append(content)
            continue
        if small:
            yield b"".join(small)
            small = []
        yield content
    if small:
        yield b"".join(small)
