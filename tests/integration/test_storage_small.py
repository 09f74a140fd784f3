"""Reading small objects many at a time, on every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from haulier.errors import SourceChanged, SourceDenied, SourceMissing
from haulier.settings import Secret, Settings
from haulier.storage import ObjectInfo, Storage, open_storage
from tests.s3 import S3_MARKS

OBJECTS = {f"a/{n:03}/x{n}": bytes([n]) * n for n in range(40)}


async def one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def opened(url: str) -> Storage:
    return open_storage(Settings(storage_url=Secret(url), jwt_secret=Secret("x" * 32)))


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=S3_MARKS)])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    url = {"memory": "memory:", "folder": f"file://{tmp_path}"}.get(request.param)
    if url is None:
        request.getfixturevalue("s3_credentials")
        server = request.getfixturevalue("s3_server")
        url = server.url(server.new_bucket())
    store = opened(url)
    for key, content in OBJECTS.items():
        await store.write(key, one(content), file_name="x", content_type="text/plain")
    return store


async def listed(storage: Storage) -> list[ObjectInfo]:
    return [info async for info in storage.list("a/")]


async def test_they_come_whole_and_in_order(storage: Storage):
    infos = (await listed(storage))[::-1]
    assert await storage.read_small(infos) == [OBJECTS[info.key] for info in infos]
    assert list(await storage.read_small([])) == []


async def test_one_that_is_missing_or_has_changed_is_told(storage: Storage):
    infos = await listed(storage)
    await storage.write("a/005/x5", one(b"other"), file_name="x", content_type="text/plain")
    with pytest.raises(SourceChanged, match="a/005/x5"):
        await storage.read_small(infos)
    await storage.delete(["a/005/x5"])
    with pytest.raises(SourceMissing, match="a/005/x5"):
        await storage.read_small(infos)


async def test_links_are_followed_inside_the_folder_only(tmp_path: Path):
    store, outside = tmp_path / "store", tmp_path / "outside"
    (store / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (store / "a" / "real").write_bytes(b"real")
    (store / "a" / "in").symlink_to(store / "a" / "real")
    (store / "a" / "out").symlink_to(outside / "secret")
    (store / "b").symlink_to(outside)
    (store / "a" / "folder").mkdir()
    storage = opened(f"file://{store}")
    real = await storage.head("a/real")
    assert real is not None
    assert await storage.read_small([msgspec.structs.replace(real, key="a/in")]) == [b"real"]
    for key in ("a/out", "b/secret", "a/folder", "a/none"):
        with pytest.raises((SourceMissing, SourceDenied)):
            await storage.read_small([msgspec.structs.replace(real, key=key)])
