"""Writing in parts: whatever interrupts it, the next attempt goes on and the bytes are the same."""

import asyncio
import hashlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import LedgerUnavailable, SourceUnavailable, StorageFailed
from haulier.preparers import Mark
from haulier.storage import Part
from haulier.work.parts import Digests, PartWriter, Progressed, progressed

PART = 64


class Shelf:
    """A store and a ledger in memory. `fail_at` is the number of the part that cannot be sent."""

    def __init__(self) -> None:
        self.stored: dict[int, bytes] = {}
        self.noted = {}
        self.fail_at: int | None = None
        self.begun = 0
        self.sending = self.most_sending = 0
        self.ledger_is_away = False

    handle = "shelf"

    async def send(self, number, content):
        self.sending += 1
        self.most_sending = max(self.most_sending, self.sending)
        await asyncio.sleep(0)
        self.sending -= 1
        if number == self.fail_at:
            raise StorageFailed(reason="the disk is full")
        self.stored[number] = bytes(content)
        return Part(number, len(content), f'"{number}"')

    async def begin(self):
        self.begun += 1
        return self

    async def note(self, parts):
        if self.ledger_is_away:
            raise LedgerUnavailable
        self.noted |= {part.number: part for part in parts}

    def since(self) -> Progressed:
        return progressed([self.noted[number] for number in sorted(self.noted)])

    def writer(self) -> PartWriter:
        since = self.since()
        return PartWriter(
            part_bytes=PART,
            begin=self.begin,
            note=self.note,
            digests=Digests(("md5",), states=since.states),
            since=since,
            upload=self if since.parts else None,
        )

    def content(self) -> bytes:
        return b"".join(self.stored[number] for number in sorted(self.stored))


class Source:
    """A resumable stream of `content`, cut and marked by chance but always the same way."""

    def __init__(self, content: bytes, seed: int) -> None:
        self.content = content
        rng = Random(seed)
        self.cuts = sorted({0, len(content), *(rng.randrange(len(content) + 1) for _ in range(30))})
        self.marked = {cut for cut in self.cuts if rng.random() < 0.6}
        self.given = 0

    async def open(self, mark: Mark | None, *, stop_at: int | None = None):
        at = 0 if mark is None else mark.state["at"]
        if mark is not None:
            assert mark.log == b"".join(b"%d;" % cut for cut in self.cuts if cut in self.marked and 0 < cut <= at)
        for before, cut in zip(self.cuts, self.cuts[1:], strict=False):
            if before < at:
                continue
            if stop_at is not None and before >= stop_at:
                raise SourceUnavailable(name="source", reason="broke")
            self.given += cut - before
            yield self.content[before:cut]
            if cut in self.marked:
                yield Mark({"at": cut}, b"%d;" % cut)


def unchecked() -> None:
    """Nobody stops the attempt."""


async def write(shelf: Shelf, items) -> PartWriter:
    writer = shelf.writer()
    small = await writer.write(items, check=unchecked)
    if small is not None:
        shelf.stored[1] = small
    return writer


@given(st.binary(min_size=1, max_size=1_500), st.integers(0, 10**6), st.lists(st.integers(0, 1_500), max_size=4))
async def test_an_interrupted_artefact_is_the_same_as_an_uninterrupted_one(content, seed, stops):
    source, shelf = Source(content, seed), Shelf()
    for stop in sorted(stops):
        if stop >= len(content):
            break
        writer = shelf.writer()
        with pytest.raises(SourceUnavailable):
            await writer.write(source.open(shelf.since().mark, stop_at=stop), check=unchecked)
    writer = await write(shelf, source.open(shelf.since().mark))
    assert shelf.content() == content
    assert writer.size == len(content)
    assert writer.digests.sha256 == hashlib.sha256(content).digest()
    assert not writer.digests.contradict({"md5": hashlib.md5(content).digest(), "sha-512": b"unknown"})
    assert writer.digests.contradict({"md5": hashlib.md5(content + b"!").digest()})


async def test_what_is_stored_is_not_made_again():
    content = bytes(range(256)) * 20
    source, shelf = Source(content, 1), Shelf()
    source.cuts = list(range(0, len(content) + 1, 16))
    source.marked = set(source.cuts)
    with pytest.raises(SourceUnavailable):
        await shelf.writer().write(source.open(None, stop_at=4_000), check=unchecked)
    source.given = 0
    await write(shelf, source.open(shelf.since().mark))
    assert source.given <= len(content) - 4_000 + 4 * PART


async def test_a_store_that_refuses_a_part_ends_it_with_that_error():
    shelf = Shelf()
    shelf.fail_at = 3
    with pytest.raises(StorageFailed):
        await shelf.writer().write(Source(b"x" * 1_000, 2).open(None), check=unchecked)


async def test_a_small_artefact_begins_no_upload():
    shelf = Shelf()
    writer = await write(shelf, Source(b"small", 3).open(None))
    assert (shelf.begun, shelf.stored, writer.size) == (0, {1: b"small"}, 5)


async def test_few_parts_are_in_memory_at_a_time():
    shelf = Shelf()
    await write(shelf, Source(b"y" * 5_000, 4).open(None))
    assert shelf.most_sending <= 3


async def test_parts_are_noted_later_when_the_ledger_is_away():
    shelf, source = Shelf(), Source(bytes(2_000), 5)
    source.marked = set(source.cuts)
    shelf.ledger_is_away = True
    writer = shelf.writer()
    with pytest.raises(SourceUnavailable):
        await writer.write(source.open(None, stop_at=1_500), check=unchecked)
    assert shelf.noted == {}
    shelf.ledger_is_away = False
    await writer.note()
    assert sorted(shelf.noted) == list(range(1, len(shelf.noted) + 1)) != []


async def test_a_stream_without_marks_leaves_nothing_to_go_on_with():
    shelf, source = Shelf(), Source(bytes(1_000), 6)
    source.marked = set()
    with pytest.raises(SourceUnavailable):
        await shelf.writer().write(source.open(None, stop_at=900), check=unchecked)
    assert shelf.noted == {}


async def test_what_is_with_the_store_at_a_cancel_is_noted():
    shelf, source = Shelf(), Source(bytes(1_000), 7)
    source.marked = set(source.cuts)
    reached_end = asyncio.Event()

    async def stuck():
        async for item in source.open(None):
            yield item
        reached_end.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(shelf.writer().write(stuck(), check=unchecked))
    await reached_end.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shelf.noted
