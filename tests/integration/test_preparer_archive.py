"""archive on the real stores: what lands there opens everywhere, and nothing lands there when it fails."""

import asyncio
import random
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from haulier.errors import SourceMissing
from haulier.preparers import Stream
from haulier.preparers.archive import ArchiveParams, prepare
from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage
from tests.fake_build import FakeBuild

OBJECTS = {
    "demo/text.csv": b"1,2,3\n" * 300_000,
    "demo/noise.bin": random.Random(1).randbytes(3 * 2**20 + 17),
    "demo/empty": b"",
    "demo/deep/été 漢字.txt": "schön".encode(),
}
KEY = "artifacts/job/1/archive.zip"


async def one(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture(params=["folder", "memory"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    url = "memory:" if request.param == "memory" else f"file://{tmp_path}/store"
    opened = open_storage(Settings(storage_url=Secret(url), jwt_secret=Secret("x" * 32)))
    for key, content in OBJECTS.items():
        await opened.write(key, one(content), file_name="x", content_type="application/octet-stream")
    return opened


async def stored(storage: Storage, result: Stream) -> None:
    try:
        await storage.write(KEY, result.chunks, file_name=result.file_name, content_type=result.content_type)
    finally:
        await result.chunks.aclose()


async def test_a_folder_becomes_a_zip_that_opens_everywhere(storage: Storage, tmp_path: Path):
    await stored(storage, await prepare(FakeBuild(ArchiveParams(prefix="demo"), storage=storage)))
    path = tmp_path / "archive.zip"
    path.write_bytes(b"".join([chunk async for chunk in storage.read(KEY)]))
    with zipfile.ZipFile(path) as archive:
        content = {f"demo/{name}": archive.read(name) for name in archive.namelist()}
    assert content == OBJECTS
    if unzip := shutil.which("unzip"):
        tested = await asyncio.to_thread(subprocess.run, [unzip, "-tqq", path], check=False)
        assert tested.returncode == 0


async def test_building_twice_gives_the_same_bytes(storage: Storage):
    builds = [await prepare(FakeBuild(ArchiveParams(prefix="demo"), storage=storage)) for _ in range(2)]
    first, second = [b"".join([chunk async for chunk in result.chunks]) for result in builds]
    assert first == second


async def test_a_member_that_vanishes_leaves_no_artefact(storage: Storage):
    result = await prepare(FakeBuild(ArchiveParams(prefix="demo"), storage=storage))
    await storage.delete(["demo/text.csv"])
    with pytest.raises(SourceMissing, match=r"demo/text\.csv"):
        await stored(storage, result)
    assert await storage.head(KEY) is None


async def test_a_cancelled_build_leaves_no_artefact(storage: Storage):
    build = FakeBuild(ArchiveParams(prefix="demo"), storage=storage)
    result = await prepare(build)
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in result.chunks:
            yield chunk
            started.set()
            await asyncio.Event().wait()

    endless_result = Stream(file_name=result.file_name, chunks=endless(), content_type=result.content_type)
    writing = asyncio.create_task(stored(storage, endless_result))
    await asyncio.wait_for(started.wait(), 5)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await result.chunks.aclose()
    assert await storage.head(KEY) is None


async def test_an_empty_folder_is_a_missing_source(storage: Storage):
    with pytest.raises(SourceMissing):
        await prepare(FakeBuild(ArchiveParams(prefix="nothing/here/"), storage=storage))
