"""archive: what goes in, in which order, under which name, and what happens when a source misbehaves."""

import asyncio
import io
import random
import zipfile
from collections.abc import AsyncGenerator

import msgspec
import pytest

from haulier.errors import SourceChanged, SourceMissing, SourceTruncated
from haulier.preparers import Existing, Stream
from haulier.preparers.archive import ArchiveParams, prepare
from tests.fake_build import MODIFIED, DictStorage, FakeBuild, content

PHOTOS = {
    "photos/a.txt": b"first " * 50_000,
    "photos/b/c.txt": b"second",
    "photos/b/": b"",
    "photos/empty": b"",
    "photosets/other.txt": b"other",
}


def opened(made: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


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
    assert {info.date_time for info in archive.infolist()} == {MODIFIED.timetuple()[:6]}


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


async def test_closing_early_releases_every_source():
    storage = DictStorage({"p/a": random.Random(1).randbytes(2**22)}, chunk_bytes=2**20)
    part = Part(b"y")
    build = FakeBuild(
        ArchiveParams(prefix="p/", file_ids=(70_000,)), storage=storage, parts={70_000: await part.stream("y")}
    )
    result = await prepare(build)
    async for _ in result.chunks:
        break
    assert storage.opened == 1
    await result.chunks.aclose()
    assert (storage.opened, part.closed) == (0, True)


async def test_closing_before_the_first_chunk_releases_an_opened_part():
    part = Part(b"y")
    result = await prepare(FakeBuild(ArchiveParams(file_ids=(1,)), parts={1: await part.stream("y")}))
    await result.chunks.aclose()
    assert part.closed


async def test_cancelling_the_reader_releases_the_sources():
    storage = DictStorage({"p/a": random.Random(1).randbytes(2**22)}, chunk_bytes=2**20)
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    started = asyncio.Event()

    async def read() -> None:
        try:
            async for _ in result.chunks:
                started.set()
                await asyncio.Event().wait()
        finally:
            await result.chunks.aclose()

    reading = asyncio.create_task(read())
    await started.wait()
    assert storage.opened == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert storage.opened == 0


async def test_one_source_is_open_at_a_time_and_small_members_share_chunks():
    storage = DictStorage({f"p/{n:05}": b"tiny" for n in range(5_000)})
    result = await prepare(FakeBuild(ArchiveParams(prefix="p/"), storage=storage))
    chunks = [chunk async for chunk in result.chunks]
    assert storage.most_opened == 1
    assert len(chunks) < 10
    assert len(opened(b"".join(chunks))) == 5_000
