"""archive on the real stores: what lands there opens everywhere, and nothing lands there when it fails."""

import asyncio
import os
import random
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from haulier.errors import SourceMissing
from haulier.preparers import Mark, Resumable
from haulier.preparers.archive import ArchiveParams, prepare
from haulier.preparers.manifest import NAME
from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage
from tests.fake_build import FakeBuild, check_resumable, content
from tests.s3 import S3_MARKS

OBJECTS = {
    "demo/text.csv": b"1,2,3\n" * 300_000,
    "demo/noise.bin": random.Random(1).randbytes(3 * 2**20 + 17),
    "demo/empty": b"",
    "demo/deep/été 漢字.txt": "schön".encode(),
}
KEY = "artifacts/job/1/archive.zip"


async def one(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=S3_MARKS)])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    url = {"memory": "memory:", "folder": f"file://{tmp_path}/store"}.get(request.param)
    if url is None:
        request.getfixturevalue("s3_credentials")
        server = request.getfixturevalue("s3_server")
        url = server.url(server.new_bucket())
    opened = open_storage(Settings(storage_url=Secret(url), jwt_secret=Secret("x" * 32)))
    for key, made_of in OBJECTS.items():
        await opened.write(key, one(made_of), file_name="x", content_type="application/octet-stream")
    return opened


async def archived(storage: Storage, **params) -> Resumable:
    result = await prepare(FakeBuild(ArchiveParams(prefix="demo", **params), storage=storage))
    assert isinstance(result, Resumable)
    return result


async def chunks(result: Resumable) -> AsyncIterator[bytes]:
    async with aclosing(result.open(None)) as items:
        async for item in items:
            if not isinstance(item, Mark):
                yield item


async def stored(storage: Storage, result: Resumable) -> None:
    async with aclosing(chunks(result)) as archive:
        await storage.write(KEY, archive, file_name=result.file_name, content_type=result.content_type)


async def passes(*command: str | Path) -> bool:
    """Whether a command succeeds; True where it is not installed."""
    if not shutil.which(command[0]):
        return True
    tested = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True)
    return tested.returncode == 0


async def test_a_folder_becomes_a_zip_that_opens_everywhere(storage: Storage, tmp_path: Path):
    await stored(storage, await archived(storage))
    path = tmp_path / "archive.zip"
    path.write_bytes(b"".join([chunk async for chunk in storage.read(KEY)]))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        members = {f"demo/{name}": archive.read(name) for name in archive.namelist() if name != NAME}
    assert members == OBJECTS
    assert await passes("unzip", "-tqq", path)
    assert await passes("7z", "t", path)


async def test_building_twice_gives_the_same_bytes(storage: Storage):
    first, second = [await content(await archived(storage)) for _ in range(2)]
    assert first == second


async def test_an_interrupted_archive_goes_on_from_every_mark(storage: Storage):
    await check_resumable(await archived(storage))


async def test_a_changed_source_changes_the_inputs(storage: Storage):
    before = (await archived(storage)).inputs
    assert before == (await archived(storage)).inputs
    await storage.write("demo/empty", one(b"no more"), file_name="x", content_type="text/plain")
    assert before != (await archived(storage)).inputs


async def test_a_member_that_vanishes_leaves_no_artefact(storage: Storage):
    result = await archived(storage)
    await storage.delete(["demo/text.csv"])
    with pytest.raises(SourceMissing, match=r"demo/text\.csv"):
        await stored(storage, result)
    assert await storage.head(KEY) is None


async def test_a_cancelled_build_leaves_no_artefact(storage: Storage):
    result = await archived(storage)
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in chunks(result):
            yield chunk
            started.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(storage.write(KEY, endless(), file_name="x", content_type="application/zip"))
    await asyncio.wait_for(started.wait(), 5)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await storage.head(KEY) is None


async def test_an_empty_folder_is_a_missing_source(storage: Storage):
    with pytest.raises(SourceMissing):
        await prepare(FakeBuild(ArchiveParams(prefix="nothing/here/"), storage=storage))


@pytest.mark.skipif("HAULIER_TEST_LARGE" not in os.environ, reason="takes minutes; set HAULIER_TEST_LARGE=1")
@pytest.mark.timeout(900)
async def test_100_000_entries_and_one_above_4_gib_open_everywhere(tmp_path: Path):
    folder = tmp_path / "store" / "in"
    folder.mkdir(parents=True)
    block = random.Random(1).randbytes(2**20)
    for number in range(100_000):
        (folder / f"{number:06}").write_bytes(block[number : number + number % 300])
    with (folder / "large").open("wb") as file:
        file.writelines(block for _ in range(4_200))
    storage = open_storage(Settings(storage_url=Secret(f"file://{tmp_path}/store"), jwt_secret=Secret("x" * 32)))
    result = await prepare(FakeBuild(ArchiveParams(prefix="in"), storage=storage))
    path = tmp_path / "archive.zip"
    with path.open("wb") as file:
        async for chunk in chunks(result):
            file.write(chunk)
    assert await passes("unzip", "-tqq", path)
    assert await passes("7z", "t", path)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 100_002
        assert archive.getinfo("large").file_size == 4_200 * 2**20
        assert archive.read("099999") == block[99_999 : 99_999 + 99_999 % 300]
