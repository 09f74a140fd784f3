"""archive: an interrupted one goes on from any of its marks with exactly the bytes that would have followed."""

import io
import random
import zipfile
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haulier import digests
from haulier.errors import UploadLost
from haulier.job import Request
from haulier.preparers import Existing, Input, Mark, Resumable, assembling, segments
from haulier.preparers.archive import ArchiveParams, prepare
from haulier.preparers.lanes import Halfway
from haulier.preparers.marking import Place, Records, marked, place_of
from haulier.preparers.zipping import Sums
from tests.fake_build import MODIFIED, DictStorage, FakeBuild, check_resumable, content, marks

TEXT = b"".join(b"%d,%x\n" % (n, n * n) for n in range(60_000))
NOISE = random.Random(7).randbytes(700_000)


class Cut(NamedTuple):
    """Bytes by where they are found: hypothesis prints every example, and refuses to print large ones."""

    source: str
    start: int
    size: int

    def content(self) -> bytes:
        return {"text": TEXT, "noise": NOISE}[self.source][self.start : self.start + self.size]


sizes = st.one_of(st.integers(0, 3_000), st.integers(0, 600_000))
members = st.lists(
    st.builds(Cut, st.sampled_from(["text", "noise"]), st.integers(0, 100_000), sizes), min_size=1, max_size=8
)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, batches and marks a hundredth as large, so that little data has many of them."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 100_000)
    monkeypatch.setattr(assembling, "SEGMENT_BYTES", 100_000)
    monkeypatch.setattr(assembling, "MARK_EVERY", 1)
    monkeypatch.setattr(assembling, "FEW_BYTES", 2_000)
    monkeypatch.setattr(assembling, "FEW_MEMBERS", 3)


def stored(contents: list[bytes], *, chunk_bytes: int = 2**20) -> DictStorage:
    return DictStorage({f"p/{n:03}": each for n, each in enumerate(contents)}, chunk_bytes=chunk_bytes)


async def archived(storage: DictStorage) -> Resumable:
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    assert isinstance(result, Resumable)
    return result


@pytest.mark.usefixtures("small_steps")
@settings(max_examples=15)
@given(cuts=members)
async def test_it_goes_on_from_every_mark(cuts: list[Cut]):
    contents = [cut.content() for cut in cuts]
    whole = await check_resumable(await archived(stored(contents)))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()[:-1]] == contents


@pytest.mark.usefixtures("small_steps")
@settings(max_examples=15)
@given(cuts=members, chunk_bytes=st.integers(1_000, 300_000))
async def test_the_bytes_do_not_depend_on_how_sources_are_cut(cuts: list[Cut], chunk_bytes: int):
    contents = [cut.content() for cut in cuts]
    first, second = [await content(await archived(stored(contents, chunk_bytes=size))) for size in (2**20, chunk_bytes)]
    assert first == second


async def test_marks_are_a_mebibyte_apart_and_logs_grow_with_members_only():
    rng = random.Random(1)
    storage = stored([rng.randbytes(5 * 2**20), *(rng.randbytes(2_000) for _ in range(3_000))])
    found = await marks(await archived(storage))
    places = [len(before) for before, _ in found]
    assert all(later - earlier >= 2**20 for earlier, later in pairwise(places))
    assert len(found) >= 7
    assert all(len(msgspec.json.encode(mark.state)) < 600 for _, mark in found)
    assert len(found[-1][1].log) <= 52 * 3_001


@pytest.mark.usefixtures("small_steps")
async def test_nothing_that_was_read_is_read_again():
    storage = stored([NOISE, TEXT, NOISE])
    read: list[tuple[str, int]] = []

    class Watched(DictStorage):
        def read(self, key: str, **options) -> AsyncGenerator[bytes, None]:
            read.append((key, options["start"]))
            return super().read(key, **options)

    result = await archived(Watched(storage.objects))
    _, mark = (await marks(result))[8]
    read.clear()
    _ = [item async for item in result.open(mark)]
    assert read == [("p/001", 100_000), ("p/002", 0)]


@pytest.mark.usefixtures("small_steps")
async def test_a_resumable_part_is_read_up_to_the_mark_and_goes_on():
    async def items(_mark: Mark | None) -> AsyncGenerator[bytes | Mark, None]:
        for at in range(0, len(TEXT), 30_000):
            yield TEXT[at : at + 30_000]

    part = Resumable("x.csv", items, (Input("https://o/x", '"v1"'),))
    build = FakeBuild(ArchiveParams(file_ids=(1, 2)), parts={1: part, 2: part})
    result = await prepare(build)
    assert isinstance(result, Resumable)
    assert opened_names(await check_resumable(result)) == ["x.csv", "x (2).csv"]


def opened_names(made: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(made)).namelist()[:-1]


@pytest.mark.usefixtures("small_steps")
async def test_files_that_are_in_it_already_have_states_after_going_on():
    storage = stored([NOISE, TEXT])
    parts = {
        n: Existing(key, storage.info(key).size, storage.info(key).etag, key) for n, key in enumerate(storage.objects)
    }
    request = Request(file_ids=(0, 1))

    def build() -> FakeBuild:
        return FakeBuild(ArchiveParams(file_ids=(0, 1)), storage=storage, request=request, parts=parts)

    first = await prepare(build())
    assert isinstance(first, Resumable)
    _, mark = (await marks(first))[-2]
    second = build()
    result = await prepare(second)
    assert isinstance(result, Resumable)
    _ = [item async for item in result.open(mark)]
    assert second.states == {0: None, 1: None}


async def any_mark(storage: DictStorage) -> Mark:
    _, mark = (await marks(await archived(storage)))[0]
    return mark


async def test_a_mark_of_another_plan_is_refused():
    storage = stored([NOISE, NOISE])
    mark = await any_mark(storage)
    # Same bytes, so the same inputs; but the time stands in the archive.
    storage.told["p/001"] = msgspec.structs.replace(storage.info("p/001"), last_modified=MODIFIED.replace(year=2020))
    with pytest.raises(UploadLost):
        (await archived(storage)).open(mark)


async def test_a_mark_of_another_kind_of_machine_is_refused(monkeypatch: pytest.MonkeyPatch):
    storage = stored([NOISE, NOISE])
    mark = await any_mark(storage)
    monkeypatch.setattr("haulier.preparers.marking.dialect", lambda: "another")
    with pytest.raises(UploadLost):
        (await archived(storage)).open(mark)


@pytest.mark.parametrize("state", [{}, {"plan": 1}, {"halfway": []}])
async def test_what_is_no_mark_is_refused(state: dict[str, object]):
    with pytest.raises(UploadLost):
        (await archived(stored([NOISE]))).open(Mark(state))


async def test_a_log_that_lacks_a_member_is_refused():
    storage = stored([NOISE, NOISE])
    mark = await any_mark(storage)
    with pytest.raises(UploadLost):
        (await archived(storage)).open(Mark(mark.state, mark.log[:-1]))


async def test_a_digest_that_cannot_be_continued_is_refused(monkeypatch: pytest.MonkeyPatch):
    storage = stored([random.Random(1).randbytes(4 * 2**20)])
    mark = await any_mark(storage)
    monkeypatch.setattr(digests, "_functions", lambda _name: None)
    with pytest.raises(UploadLost):
        (await archived(storage)).open(mark)


@pytest.mark.usefixtures("small_steps")
async def test_without_states_of_digests_marks_stand_between_members_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digests, "_functions", lambda _name: None)
    result = await archived(stored([NOISE, TEXT]))
    assert len(await marks(result)) == 3
    await check_resumable(result)


def test_a_mark_survives_its_way_through_json():
    place = Place(Records())
    place.halfway = Halfway(3, True, Sums(1, 2, 3), digests.ResumableDigest("sha-256").state() or b"")
    mark = marked(place, plan="x")
    again = Mark(msgspec.json.decode(msgspec.json.encode(mark.state)), mark.log)
    assert place_of(again, plan="x").halfway == place.halfway
