"""archive: what goes in, in which order, under which name, and what happens when a source misbehaves."""

import asyncio
import hashlib
import io
import json
import random
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
import pytest

from haulier.errors import SourceChanged, SourceDamaged, SourceDenied, SourceMissing, SourceTruncated
from haulier.job import Request
from haulier.preparers import Existing, Input, Mark, Resumable, Stream
from haulier.preparers.archive import ArchiveParams, prepare
from haulier.preparers.manifest import NAME
from tests.fake_build import MODIFIED, DictStorage, FakeBuild, content

PHOTOS = {
    "photos/a.txt": b"first " * 50_000,
    "photos/b/c.txt": b"second",
    "photos/b/": b"",
    "photos/empty": b"",
    "photosets/other.txt": b"other",
}


def everything(made: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def opened(made: bytes) -> dict[str, bytes]:
    """The members but the manifest."""
    members = everything(made)
    assert list(members)[-1] == NAME
    del members[NAME]
    return members


def existing(storage: DictStorage, key: str, *, file_name: str) -> Existing:
    info = storage.info(key)
    return Existing(key=key, size=info.size, etag=info.etag, file_name=file_name)


class Part:
    """A stream part that knows whether it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.closed = False

    async def run(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b""
            for chunk in self.chunks:
                yield chunk
        finally:
            self.closed = True

    async def stream(self, file_name: str, *, size: int | None = None) -> Stream:
        chunks = self.run()
        await anext(chunks)
        return Stream(file_name=file_name, chunks=chunks, size=size)


@pytest.mark.parametrize("prefix", ["photos", "photos/"])
async def test_a_prefix_is_a_folder_and_names_are_relative_to_it(prefix: str):
    build = FakeBuild(ArchiveParams(prefix=prefix), storage=DictStorage(PHOTOS))
    assert opened(await content(await prepare(build))) == {
        "a.txt": PHOTOS["photos/a.txt"],
        "b/c.txt": b"second",
        "empty": b"",
    }


async def test_keys_keep_their_path_without_what_is_stripped():
    params = ArchiveParams(keys=("photos/b/c.txt", "photosets/other.txt"), strip="photos/")
    build = FakeBuild(params, storage=DictStorage(PHOTOS))
    assert list(opened(await content(await prepare(build)))) == ["b/c.txt", "photosets/other.txt"]


async def test_parts_come_under_their_file_names_made_unique():
    storage = DictStorage({"one": b"1", "two": b"2"})
    parts = {70_000 + n: existing(storage, key, file_name="x.txt") for n, key in enumerate(("one", "two"))}
    build = FakeBuild(ArchiveParams(file_ids=(70_000, 70_001)), storage=storage, parts=parts, file_name="files-2.zip")
    result = await prepare(build)
    assert (result.file_name, result.content_type) == ("files-2.zip", "application/zip")
    assert opened(await content(result)) == {"x.txt": b"1", "x (2).txt": b"2"}


async def test_stream_parts_are_read_one_after_the_other_and_closed():
    parts = {70_000: Part(b"a" * 10, b"b" * 10), 70_001: Part(b"c")}
    streams = {file_id: await part.stream(f"{file_id}.txt") for file_id, part in parts.items()}
    build = FakeBuild(ArchiveParams(file_ids=(70_000, 70_001)), parts=streams)
    assert opened(await content(await prepare(build))) == {"70000.txt": b"a" * 10 + b"b" * 10, "70001.txt": b"c"}
    assert all(part.closed for part in parts.values())


async def test_progress_counts_source_bytes_out_of_all_of_them():
    build = FakeBuild(ArchiveParams(prefix="photos/"), storage=DictStorage(PHOTOS, chunk_bytes=1_000))
    await content(await prepare(build))
    assert build.reports[0].stage == "listing"
    assert (build.reports[-1].done, build.reports[-1].total) == (300_006, 300_006)
    assert build.reports[-1].stage == "archiving"


async def test_the_same_sources_give_the_same_bytes_however_they_are_cut():
    archives = {
        await content(
            await prepare(FakeBuild(ArchiveParams(prefix="photos/"), storage=DictStorage(PHOTOS, chunk_bytes=n)))
        )
        for n in (999, 65_536, 2**20)
    }
    assert len(archives) == 1


async def test_modification_times_are_the_objects():
    build = FakeBuild(ArchiveParams(prefix="photos/"), storage=DictStorage(PHOTOS))
    archive = zipfile.ZipFile(io.BytesIO(await content(await prepare(build))))
    times = {info.date_time for info in archive.infolist() if info.filename != NAME}
    assert times == {MODIFIED.timetuple()[:6]}


@pytest.mark.parametrize(
    "params",
    [ArchiveParams(prefix="nothing/"), ArchiveParams(keys=("photos/a.txt", "gone")), ArchiveParams(file_ids=(1,))],
)
async def test_what_does_not_exist_is_told_before_a_byte_is_written(params: ArchiveParams):
    with pytest.raises(SourceMissing):
        await prepare(FakeBuild(params, storage=DictStorage(PHOTOS)))


async def test_a_member_that_vanishes_is_missing():
    storage = DictStorage(PHOTOS)
    result = await prepare(FakeBuild(ArchiveParams(prefix="photos/"), storage=storage))
    del storage.objects["photos/b/c.txt"]
    with pytest.raises(SourceMissing, match=r"photos/b/c\.txt"):
        await content(result)
    assert storage.opened == 0


async def test_a_member_that_changes_is_told():
    storage = DictStorage(PHOTOS)
    result = await prepare(FakeBuild(ArchiveParams(prefix="photos/"), storage=storage))
    storage.objects["photos/b/c.txt"] = b"other"
    with pytest.raises(SourceChanged):
        await content(result)


@pytest.mark.parametrize(("listed", "error"), [(7, SourceTruncated), (5, SourceChanged)])
async def test_a_member_of_another_size_than_listed_is_told(listed: int, error: type[Exception]):
    storage = DictStorage(PHOTOS)
    storage.told["photos/b/c.txt"] = msgspec.structs.replace(storage.info("photos/b/c.txt"), size=listed)
    with pytest.raises(error):
        await content(await prepare(FakeBuild(ArchiveParams(prefix="photos/"), storage=storage)))
    assert storage.opened == 0


async def test_a_part_that_changed_since_it_was_checked_is_told():
    storage = DictStorage({"one": b"1"})
    part = existing(storage, "one", file_name="x")
    storage.objects["one"] = b"2"
    with pytest.raises(SourceChanged):
        await prepare(FakeBuild(ArchiveParams(file_ids=(70_000,)), storage=storage, parts={70_000: part}))


def noisy(count: int, size: int) -> DictStorage:
    rng = random.Random(1)
    return DictStorage({f"p/{n:03}": rng.randbytes(size) for n in range(count)}, chunk_bytes=2**18)


async def first_bytes(items: AsyncIterator[bytes | Mark]) -> bytes:
    async for item in items:
        assert isinstance(item, bytes)
        return item
    raise AssertionError


async def test_closing_early_releases_every_source():
    storage = noisy(8, 2**20)
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    assert isinstance(result, Resumable)
    items = result.open(None)
    await first_bytes(items)
    assert 1 <= storage.most_opened <= 4
    before = asyncio.all_tasks()
    await items.aclose()
    assert storage.opened == 0
    assert asyncio.all_tasks() == before & {asyncio.current_task()}


async def test_an_open_stream_part_is_released_before_and_after_its_turn():
    for read in (0, 1):
        part = Part(b"y" * 2**20)
        storage = noisy(1, 2**20)
        result = await prepare(
            FakeBuild(ArchiveParams(prefix="p/", file_ids=(1,)), storage=storage, parts={1: await part.stream("y")})
        )
        assert isinstance(result, Stream)
        for _ in range(read):
            await first_bytes(result.chunks)
        await result.chunks.aclose()
        assert (storage.opened, part.closed) == (0, True)


async def test_cancelling_the_reader_releases_the_sources():
    storage = noisy(8, 2**20)
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    assert isinstance(result, Resumable)
    started = asyncio.Event()

    async def read() -> None:
        items = result.open(None)
        try:
            async for _ in items:
                started.set()
                await asyncio.Event().wait()
        finally:
            await items.aclose()

    reading = asyncio.create_task(read())
    await started.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert storage.opened == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_a_report_raises_ends_everything():
    class Stopped(Exception):
        pass

    class StoppedBuild(FakeBuild):
        def report(self, *, done: int, total: int | None = None, stage: str = "") -> None:
            if done:
                raise Stopped

    storage = noisy(8, 2**20)
    with pytest.raises(Stopped):
        await content(await prepare(StoppedBuild(ArchiveParams(prefix="p/"), storage=storage)))
    assert storage.opened == 0


async def test_an_error_comes_after_the_members_before_it():
    storage = noisy(6, 2**20)
    whole = await content(await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage)))
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    assert isinstance(result, Resumable)
    del storage.objects["p/003"]
    got = b""

    async def read() -> None:
        nonlocal got
        async for item in result.open(None):
            got += item if isinstance(item, bytes) else b""

    with pytest.raises(SourceMissing, match="p/003"):
        await read()
    assert len(got) > 3 * 2**20
    assert whole.startswith(got)


async def test_small_members_share_chunks():
    storage = DictStorage({f"p/{n:05}": b"tiny" for n in range(5_000)})
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    assert isinstance(result, Resumable)
    chunks = [chunk async for chunk in result.open(None) if isinstance(chunk, bytes)]
    assert len(chunks) < 60
    assert len(opened(b"".join(chunks))) == 5_000


async def test_the_manifest_lists_every_member_and_its_digest():
    storage = DictStorage(PHOTOS)
    members = everything(await content(await prepare(FakeBuild(ArchiveParams(prefix="photos/"), storage=storage))))
    document = json.loads(members[NAME])
    assert list(document) == ["haulier_manifest", "entries", "missing"]
    assert (document["haulier_manifest"], document["missing"]) == (1, [])
    assert [entry["name"] for entry in document["entries"]] == ["a.txt", "b/c.txt", "empty"]
    assert document["entries"][1] == {
        "name": "b/c.txt",
        "size": 6,
        "sha256": hashlib.sha256(b"second").hexdigest(),
        "modified": "2026-03-01T12:30:42.000Z",
        "source": "photos/b/c.txt",
        "etag": storage.info("photos/b/c.txt").etag,
    }


async def test_a_file_with_the_manifests_name_gets_another():
    storage = DictStorage({f"p/{NAME}": b"mine"})
    made = await content(await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage)))
    assert opened(made) == {"haulier-manifest (2).json": b"mine"}


async def test_inputs_are_the_members_in_their_versions():
    storage = DictStorage(PHOTOS)
    part = Resumable("x.bin", lambda _mark: Part(b"123").run(), (Input("https://o/x", '"v1"', 3),))
    params = ArchiveParams(prefix="photos/", keys=("photosets/other.txt",), file_ids=(1,))
    result = await prepare(FakeBuild(params, storage=storage, parts={1: part}))
    assert isinstance(result, Resumable)
    keys = ("photos/a.txt", "photos/b/c.txt", "photos/empty", "photosets/other.txt")
    told = [Input(key, storage.info(key).etag, storage.info(key).size) for key in keys]
    assert result.inputs == (*told, Input("https://o/x", '"v1"', 3))


@pytest.mark.parametrize("size", [None, 3])
async def test_a_stream_of_no_known_version_makes_an_archive_without_inputs(size: int | None):
    streams = {1: await Part(b"123").stream("x", size=size)}
    result = await prepare(FakeBuild(ArchiveParams(file_ids=(1,)), parts=streams))
    assert isinstance(result, Stream)
    assert result.inputs is None
    assert opened(await content(result)) == {"x": b"123"}


async def test_a_resumable_part_is_read_without_its_marks_and_its_digest_checked():
    async def items(_mark: Mark | None) -> AsyncGenerator[bytes | Mark, None]:
        yield b"12"
        yield Mark({"at": 2})
        yield b"3"

    def part(digest: bytes) -> Resumable:
        return Resumable("x.bin", items, (Input("https://o/x", '"v1"', 3),), size=3, digests={"md5": digest})

    right = part(hashlib.md5(b"123", usedforsecurity=False).digest())
    members = everything(await content(await prepare(FakeBuild(ArchiveParams(file_ids=(1,)), parts={1: right}))))
    assert members["x.bin"] == b"123"
    entry = json.loads(members[NAME])["entries"][0]
    assert (entry["source"], entry["etag"], "modified" in entry) == ("https://o/x", '"v1"', False)
    with pytest.raises(SourceDamaged):
        await content(await prepare(FakeBuild(ArchiveParams(file_ids=(1,)), parts={1: part(b"0" * 16)})))


@pytest.mark.parametrize("asked", ["rule", "request"])
async def test_what_is_missing_is_left_out_when_that_is_allowed(asked: str):
    storage = DictStorage(PHOTOS)

    def denied() -> Existing:
        raise SourceDenied(name="https://o/secret")

    parts = {1: existing(storage, "photos/a.txt", file_name="a.txt"), 3: denied}
    request = Request(file_ids=(1, 2, 3), allow_missing=asked == "request")
    params = ArchiveParams(
        prefix="gone", keys=("lost", "photos/empty"), file_ids=(1, 2, 3), allow_missing=asked == "rule"
    )
    build = FakeBuild(params, storage=storage, request=request, parts=parts)
    members = everything(await content(await prepare(build)))
    assert list(members) == ["photos/empty", "a.txt", NAME]
    assert json.loads(members[NAME])["missing"] == [
        {"source": "gone/", "code": "source_missing", "reason": SourceMissing(name="gone/").detail},
        {"source": "lost", "code": "source_missing", "reason": SourceMissing(name="lost").detail},
        {
            "source": "downloads/2.zip",
            "file_id": 2,
            "code": "source_missing",
            "reason": SourceMissing(name="downloads/2.zip").detail,
        },
        {
            "source": "https://o/secret",
            "file_id": 3,
            "code": "source_denied",
            "reason": SourceDenied(name="https://o/secret").detail,
        },
    ]
    assert [(index, getattr(error, "code", None)) for index, error in sorted(build.states.items())] == [
        (0, None),
        (1, "source_missing"),
        (2, "source_denied"),
    ]


async def test_what_may_be_missing_and_vanishes_while_it_is_read_is_left_out_by_the_next_attempt():
    storage = DictStorage(PHOTOS)
    params = ArchiveParams(prefix="photos/", allow_missing=True)
    result = await prepare(FakeBuild(params, storage=storage))
    del storage.objects["photos/b/c.txt"]
    with pytest.raises(SourceChanged, match=r"photos/b/c\.txt"):
        await content(result)
    made = await content(await prepare(FakeBuild(params, storage=storage)))
    assert list(opened(made)) == ["a.txt", "empty"]


async def test_nothing_at_all_is_missing_whatever_is_allowed():
    for params in (
        ArchiveParams(prefix="gone", allow_missing=True),
        ArchiveParams(file_ids=(1, 2), allow_missing=True),
    ):
        with pytest.raises(SourceMissing):
            await prepare(FakeBuild(params))


async def test_only_files_of_the_request_have_states():
    storage = DictStorage(PHOTOS)
    part = existing(storage, "photos/a.txt", file_name="a.txt")
    build = FakeBuild(ArchiveParams(file_ids=(1,)), storage=storage, parts={1: part})
    await content(await prepare(build))
    assert build.states == {}


async def test_other_errors_of_a_part_fail_although_missing_ones_are_allowed():
    def changed() -> Existing:
        raise SourceChanged(name="x")

    with pytest.raises(SourceChanged):
        await prepare(FakeBuild(ArchiveParams(file_ids=(1,), allow_missing=True), parts={1: changed}))
