"""Uploads in parts to a folder: names, leftovers, full disks, late writers."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from haulier.errors import StorageFailed, StorageUnavailable, UploadLost
from haulier.settings import Secret, Settings
from haulier.storage import Storage, growing, open_storage

KEY = "artifacts/018f/1/file.zip"
NAMED = {"file_name": "file.zip", "content_type": "application/zip"}
PART = 1_000


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def storage(root) -> Storage:
    return opened(root)


def opened(root: Path, part_bytes: int = PART) -> Storage:
    storage = open_storage(Settings(storage_url=Secret(f"file://{root}"), url_secret=Secret("s" * 32)))
    storage.part_bytes = part_bytes
    return storage


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


async def test_the_file_grows_beside_its_name_where_no_list_shows_it(storage, root):
    upload = await storage.begin_upload(KEY, **NAMED)
    await upload.send(2, b"second")

    assert everything(root)[-1] == f"{KEY}#{upload.handle}"
    assert [info.key async for info in storage.list("")] == []
    assert await storage.head(f"{KEY}#{upload.handle}") is None


async def test_a_tail_that_is_not_named_is_cut_off(storage, root):
    upload = await storage.begin_upload(KEY, **NAMED)
    parts = [await upload.send(number, bytes([number]) * PART) for number in (1, 2, 3)]

    await upload.complete(parts[:2])

    assert (root / KEY).read_bytes() == b"\1" * PART + b"\2" * PART


async def test_a_file_that_lost_its_end_is_lost(storage, root):
    upload = await storage.begin_upload(KEY, **NAMED)
    parts = [await upload.send(number, bytes(PART)) for number in (1, 2)]
    os.truncate(f"{root / KEY}#{upload.handle}", PART + 1)

    with pytest.raises(UploadLost):
        await upload.complete(parts)
    assert await storage.head(KEY) is None


async def test_an_abort_removes_the_folders_that_become_empty(storage, root):
    upload = await storage.begin_upload(KEY, **NAMED)

    await upload.abort()

    assert everything(root) == ["artifacts"]


async def test_a_growing_file_survives_the_removal_of_its_last_neighbour(storage):
    neighbour = await storage.begin_upload("artifacts/018f/1/other", **NAMED)
    await neighbour.complete([await neighbour.send(1, b"x")])
    upload = await storage.begin_upload(KEY, **NAMED)

    await storage.delete(["artifacts/018f/1/other"])
    await upload.complete([await upload.send(1, b"x")])

    assert [info.key async for info in storage.list("")] == [KEY]


async def test_a_folder_that_goes_while_an_upload_begins_is_made_again(storage, root, monkeypatch):
    made = Path.mkdir

    def gone_again(path: Path, *args: object, **options: bool) -> None:
        made(path, *args, **options)
        monkeypatch.setattr(Path, "mkdir", made)
        path.rmdir()

    monkeypatch.setattr(Path, "mkdir", gone_again)
    upload = await storage.begin_upload(KEY, **NAMED)

    assert (root / f"{KEY}#{upload.handle}").exists()


@pytest.mark.parametrize("key", ["folder/new", "x#1", "n" * 256, "taken/below"])
async def test_a_name_that_the_folder_cannot_hold_is_refused_at_once(storage, root, tmp_path, key):
    (tmp_path / "outside").mkdir()
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "taken").write_bytes(b"x")

    with pytest.raises(StorageFailed):
        await storage.begin_upload(key, **NAMED)
    assert everything(tmp_path / "outside") == []


async def test_a_folder_in_the_objects_place_is_told(storage, root):
    upload = await storage.begin_upload(KEY, **NAMED)
    parts = [await upload.send(1, b"x")]
    (root / KEY).mkdir()

    with pytest.raises(StorageFailed, match="is a directory"):
        await upload.complete(parts)


async def test_a_late_writer_changes_nothing_of_a_published_file(storage, root):
    upload = await storage.begin_upload(KEY, **NAMED)
    parts = [await upload.send(1, b"x")]
    etag = await upload.complete(parts)

    with pytest.raises(UploadLost):
        await storage.open_upload(KEY, upload.handle).send(1, b"late")
    assert (await storage.head(KEY)).etag == etag
    assert (root / KEY).read_bytes() == b"x"


@pytest.fixture
async def written_to(storage, root):
    """An upload with one part, and a writer that has its file."""
    upload = await storage.begin_upload(KEY, **NAMED)
    parts = [await upload.send(1, b"x")]
    with (root / f"{KEY}#{upload.handle}").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield upload, parts, file


async def test_completing_waits_for_a_part_that_is_being_written(written_to, storage, monkeypatch):
    upload, parts, file = written_to
    tried, locked = [], growing._locked

    def noted(handle: int, kind: int) -> bool:
        tried.append(locked(handle, kind))
        file.close()
        return tried[-1]

    monkeypatch.setattr(growing, "_locked", noted)

    etag = await upload.complete(parts)

    assert tried == [False, True]
    assert (await storage.head(KEY)).etag == etag


async def test_completing_gives_up_on_a_writer_that_stands_still(written_to, storage, monkeypatch):
    upload, parts, _ = written_to
    monkeypatch.setattr(growing, "_LOCK_S", 0)

    with pytest.raises(StorageUnavailable):
        await upload.complete(parts)
    assert await storage.head(KEY) is None


async def test_a_file_system_without_locks_will_do(storage, monkeypatch):
    def no_locks(*_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    upload = await storage.begin_upload(KEY, **NAMED)

    await upload.complete([await upload.send(1, b"x")])

    assert (await storage.head(KEY)).size == 1


async def test_every_part_is_on_the_disk_before_it_counts(storage, monkeypatch):
    synced: list[str] = []
    for name in ("fdatasync", "fsync"):
        real = getattr(os, name)

        def noted(handle: int, real=real, name=name) -> None:
            synced.append(f"{name} {Path(f'/proc/self/fd/{handle}').readlink().name.partition('#')[0]}")
            real(handle)

        monkeypatch.setattr(os, name, noted)

    upload = await storage.begin_upload(KEY, **NAMED)
    assert synced == ["fsync 1", "fsync 018f", "fsync artifacts", "fsync store"]
    synced.clear()
    part = await upload.send(1, b"x")
    assert synced == ["fdatasync file.zip"]
    synced.clear()
    await upload.complete([part])
    assert synced == ["fsync file.zip", "fsync 1"]


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


async def test_a_full_disk_is_told_and_an_abort_frees_it(small_disk):
    storage = opened(small_disk, part_bytes=600_000)
    upload = await storage.begin_upload(KEY, **NAMED)
    await upload.send(1, bytes(600_000))

    with pytest.raises(StorageFailed, match="the disk is full"):
        await upload.send(2, bytes(600_000))
    await upload.abort()

    assert everything(small_disk) == ["artifacts"]
