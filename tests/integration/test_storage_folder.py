"""What only a folder store has to deal with: links, leftovers, full disks, folders."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from haulier.errors import SourceDenied, SourceMissing, SourceTruncated, StorageFailed, StorageUnavailable
from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage

KEY = "artifacts/018f/1/file.zip"
NAMED = {"file_name": "file.zip", "content_type": "application/zip"}


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def storage(root) -> Storage:
    return opened(root)


def opened(root: Path) -> Storage:
    return open_storage(Settings(storage_url=Secret(f"file://{root}"), url_secret=Secret("s" * 32)))


async def stream(*chunks: bytes):
    for chunk in chunks:
        yield chunk


async def read(storage: Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


async def keys(storage: Storage) -> list[str]:
    return [info.key async for info in storage.list("")]


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


async def test_a_file_put_into_the_folder_is_an_object(storage, root):
    (root / "downloads").mkdir()
    (root / "downloads/70000.zip").write_bytes(b"zip")

    assert (await storage.head("downloads/70000.zip")).size == 3
    assert await read(storage, "downloads/70000.zip") == b"zip"


async def test_a_link_out_of_the_store_leads_nowhere(storage, root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)

    assert await keys(storage) == []
    for key in ("file", "folder/secret"):
        assert await storage.head(key) is None
        with pytest.raises(SourceMissing):
            await read(storage, key)
        with pytest.raises(StorageFailed):
            await storage.write(key, stream(b"x"), **NAMED)
        await storage.delete([key])
    with pytest.raises(StorageFailed):
        await storage.write("folder/new", stream(b"x"), **NAMED)
    assert [info.key async for info in storage.list("folder/")] == []
    assert (outside / "secret").read_text() == "secret"
    assert everything(outside) == ["secret"]


async def test_a_link_within_the_store_is_followed_but_not_in_circles(storage, root):
    (root / "real").mkdir()
    (root / "real/file").write_bytes(b"x")
    (root / "alias").symlink_to(root / "real/file")
    (root / "real/again").symlink_to(root)

    assert await read(storage, "alias") == b"x"
    assert await keys(storage) == ["alias", "real/file"]


async def test_deleting_removes_the_folders_that_become_empty(storage, root):
    await storage.write(KEY, stream(b"x"), **NAMED)
    await storage.write("artifacts/018f/2/file.zip", stream(b"x"), **NAMED)
    await storage.write("downloads/1/file.zip", stream(b"x"), **NAMED)

    await storage.delete([KEY, "downloads/1/file.zip"])
    assert everything(root) == [
        "artifacts",
        "artifacts/018f",
        "artifacts/018f/2",
        "artifacts/018f/2/file.zip",
        "downloads",
        "downloads/1",
    ]
    await storage.delete(["artifacts/018f/2/file.zip"])
    assert "artifacts/018f" not in everything(root)


@pytest.mark.parametrize("sent", [10, 20 << 20])
async def test_a_failed_write_leaves_no_file_and_no_folder(storage, root, sent):
    async def broken():
        yield bytes(sent)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await storage.write(KEY, broken(), **NAMED)

    assert everything(root) in ([], ["artifacts"])


async def test_an_object_deleted_during_a_read_is_read_to_its_end(storage):
    await storage.write(KEY, stream(bytes(5 << 20)), **NAMED)
    chunks = storage.read(KEY)
    first = await anext(chunks)

    await storage.delete([KEY])

    assert len(first) + sum([len(chunk) async for chunk in chunks]) == 5 << 20


@pytest.mark.parametrize("name", ["x#1", "n" * 256, "é" * 128])
async def test_names_that_the_folder_cannot_hold_are_missing_and_not_written(storage, root, name):
    assert await storage.head(name) is None
    with pytest.raises(SourceMissing):
        await read(storage, name)
    with pytest.raises(StorageFailed):
        await storage.write(name, stream(b"x"), **NAMED)
    assert everything(root) == []


async def test_a_folder_is_not_an_object_and_not_overwritten(storage, root):
    await storage.write(KEY, stream(b"x"), **NAMED)

    assert await storage.head("artifacts/018f") is None
    with pytest.raises(StorageFailed):
        await storage.write("artifacts/018f", stream(b"x"), **NAMED)
    with pytest.raises(StorageFailed, match="not a directory"):
        await storage.write(f"{KEY}/below", stream(b"x"), **NAMED)
    assert await keys(storage) == [KEY]


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("size", [(1 << 20) - 1, 2 << 20, 12 << 20])
async def test_a_full_disk_is_told_and_leaves_nothing(small_disk, size):
    (small_disk / "other").write_bytes(bytes(100_000))

    with pytest.raises(StorageFailed, match="the disk is full"):
        await opened(small_disk).write(KEY, stream(bytes(size)), **NAMED)

    assert everything(small_disk) in (["other"], ["artifacts", "other"])


async def test_a_ping_misses_a_folder_that_is_gone(storage, root):
    root.rmdir()

    with pytest.raises(StorageUnavailable) as caught:
        await storage.ping()
    assert str(root) not in str(caught.value.facts["reason"])


async def test_a_list_survives_deletions_under_it(storage):
    for number in range(50):
        await storage.write(f"artifacts/{number:02}/1/file", stream(b"x"), **NAMED)

    async def delete_all():
        await storage.delete([f"artifacts/{number:02}/1/file" for number in range(50)])

    _, found = await asyncio.gather(delete_all(), keys(storage))

    assert found == sorted(found)


async def test_a_file_cut_short_during_a_read_is_told(storage, root):
    await storage.write(KEY, stream(bytes(5 << 20)), **NAMED)
    chunks = storage.read(KEY)
    await anext(chunks)

    os.truncate(root / KEY, 2 << 20)

    with pytest.raises(SourceTruncated):
        [chunk async for chunk in chunks]


async def test_a_pipe_in_the_folder_is_not_an_object(storage, root):
    os.mkfifo(root / "pipe")

    with pytest.raises(SourceMissing):
        await read(storage, "pipe")


async def test_a_folder_that_may_not_be_read_denies(storage, monkeypatch):
    await storage.write(KEY, stream(b"x"), **NAMED)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(SourceDenied):
        await read(storage, KEY)


async def test_a_sweep_removes_what_a_killed_upload_left(storage, root):
    await storage.write(KEY, stream(b"x"), **NAMED)
    for left in ("artifacts/dead/1/file.zip#1", f"{KEY}#2", "downloads#1"):
        (root / left).parent.mkdir(parents=True, exist_ok=True)
        (root / left).write_bytes(b"half")

    assert await storage.sweep_uploads(older_than_s=3_600) == 0
    assert await storage.sweep_uploads(older_than_s=0) == 2
    assert everything(root) == ["artifacts", "artifacts/018f", "artifacts/018f/1", KEY, "downloads#1"]
