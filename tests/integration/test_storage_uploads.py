"""Uploads in parts: one set of promises for folder, memory and S3."""

import asyncio
import random
import secrets

import pytest

from haulier.errors import BadRecipe, StorageUnavailable, UploadLost
from haulier.settings import Secret, Settings
from haulier.storage import Part, Storage, Upload, open_storage
from tests.s3 import S3_MARKS

MIB = 1 << 20
PART = 5 * MIB  # S3 takes no smaller ones
KEY = "artifacts/018f/1/a file.zip"
NAMED = {"file_name": "a file.zip", "content_type": "application/zip"}
ADAPTERS = ["folder", "memory", pytest.param("s3", marks=S3_MARKS)]


@pytest.fixture(params=ADAPTERS)
def adapter(request) -> str:
    return request.param


@pytest.fixture
def url(adapter, request, tmp_path) -> str:
    if adapter == "s3":
        request.getfixturevalue("s3_credentials")
        server = request.getfixturevalue("s3_server")
        return server.url(server.new_bucket())
    return {"folder": f"file://{tmp_path}/store", "memory": "memory:"}[adapter]


@pytest.fixture
def storage(url) -> Storage:
    return opened(url)


@pytest.fixture
def other(adapter, url, storage) -> Storage:
    """What another process opens; memory is one process's."""
    return storage if adapter == "memory" else opened(url)


@pytest.fixture
def left(adapter, url, storage, tmp_path, request):
    """`left()`: what there is besides whole objects."""

    def in_store() -> list[str]:
        if adapter == "s3":
            return request.getfixturevalue("s3_server").uploads(url.removeprefix("s3://").partition("?")[0])
        if adapter == "memory":
            return list(storage._growing)
        return [path.name for path in (tmp_path / "store").rglob("*") if path.is_file() and "#" in path.name]

    return in_store


def opened(url: str) -> Storage:
    storage = open_storage(Settings(storage_url=Secret(url), url_secret=Secret("s" * 32)))
    storage.part_bytes = PART
    return storage


def pieces(*sizes: int) -> list[bytes]:
    return [random.Random(size).randbytes(size) for size in sizes]


async def begun(storage: Storage, key: str = KEY) -> Upload:
    return await storage.begin_upload(key, **NAMED)


async def sent(upload: Upload, contents: list[bytes]) -> list[Part]:
    return [await upload.send(number, content) for number, content in enumerate(contents, 1)]


async def read(storage: Storage, key: str = KEY) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


async def keys(storage: Storage) -> list[str]:
    return [info.key async for info in storage.list("")]


def test_parts_have_16_mib(url):
    storage = open_storage(Settings(storage_url=Secret(url), url_secret=Secret("s" * 32)))

    assert storage.part_bytes == 16 * MIB


async def test_parts_in_order_become_the_object(storage, left):
    contents = pieces(PART, PART, 7)
    upload = await begun(storage)

    parts = await sent(upload, contents)
    etag = await upload.complete(parts)

    assert [(part.number, part.size) for part in parts] == [(1, PART), (2, PART), (3, 7)]
    assert await read(storage) == b"".join(contents)
    info = await storage.head(KEY)
    assert (info.size, info.etag) == (2 * PART + 7, etag)
    assert etag.startswith('"')
    assert left() == []


async def test_parts_may_be_sent_at_once_and_in_any_order(storage):
    contents = pieces(PART, PART, PART, 1)
    upload = await begun(storage)

    parts = await asyncio.gather(*(upload.send(number, contents[number - 1]) for number in (4, 2, 3, 1)))
    await upload.complete(parts)

    assert await read(storage) == b"".join(contents)


async def test_an_empty_object_is_one_empty_part(storage):
    upload = await begun(storage)

    await upload.complete([await upload.send(1, b"")])

    assert await read(storage) == b""


async def test_somebody_else_goes_on_by_the_handle(storage, other):
    contents = pieces(PART, PART, 9)
    upload = await begun(storage)
    parts = await sent(upload, contents[:1])

    later = other.open_upload(KEY, upload.handle)
    parts += [await later.send(2, contents[1]), await later.send(3, contents[2])]
    etag = await later.complete(parts)

    assert await read(storage) == b"".join(contents)
    assert (await storage.head(KEY)).etag == etag
    assert later.handle == upload.handle


async def test_a_handle_is_small_and_holds_no_secret(storage):
    upload = await begun(storage)

    assert len(upload.handle.encode()) <= 2_048
    assert "testaccess" not in upload.handle


async def test_a_part_sent_again_replaces_the_one_before(storage):
    first, again, last = pieces(PART, PART, 3)
    upload = await begun(storage)
    await upload.send(1, bytes(PART))
    longer = await upload.send(2, bytes(100))

    parts = [await upload.send(1, again), await upload.send(2, last)]
    await upload.complete(parts)

    assert longer.size == 100
    assert await read(storage) == first + last


async def test_completing_again_answers_the_same(storage, other):
    upload = await begun(storage)
    parts = await sent(upload, pieces(PART, 5))

    etag = await upload.complete(parts)

    assert await upload.complete(parts) == etag
    assert await other.open_upload(KEY, upload.handle).complete(parts) == etag
    assert await read(storage) == b"".join(pieces(PART, 5))


async def test_two_who_complete_at_once_answer_the_same(storage, other):
    upload = await begun(storage)
    parts = await sent(upload, pieces(PART, 5))

    first, second = await asyncio.gather(upload.complete(parts), other.open_upload(KEY, upload.handle).complete(parts))

    assert first == second == (await storage.head(KEY)).etag


async def test_nothing_is_seen_before_it_is_complete(storage):
    upload = await begun(storage)
    parts = await sent(upload, pieces(PART, 5))

    assert await storage.head(KEY) is None
    assert await keys(storage) == []
    await upload.complete(parts)
    assert await keys(storage) == [KEY]


async def test_an_object_that_was_there_stays_until_another_is_complete(storage):
    before = await begun(storage)
    await before.complete(await sent(before, [b"before"]))
    upload = await begun(storage)
    parts = await sent(upload, [b"afterwards"])

    assert await read(storage) == b"before"
    await upload.complete(parts)
    assert await read(storage) == b"afterwards"


async def test_an_abort_leaves_nothing(storage, left, tmp_path):
    upload = await begun(storage)
    parts = await sent(upload, pieces(PART, 5))
    assert len(left()) == 1

    await upload.abort()
    await upload.abort()

    assert left() == []
    assert list((tmp_path / "store").rglob("*file*")) == []
    with pytest.raises(UploadLost):
        await upload.complete(parts)
    with pytest.raises(UploadLost):
        await upload.send(1, b"x")
    assert await storage.head(KEY) is None


async def test_an_abort_after_cancelled_parts_leaves_nothing(storage, left):
    upload = await begun(storage)
    sending = [asyncio.create_task(upload.send(number, bytes(PART))) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)

    await upload.abort()

    assert left() == []


async def test_an_abort_spares_what_is_complete(storage):
    upload = await begun(storage)
    await upload.complete(await sent(upload, [b"x"]))

    await upload.abort()

    assert await read(storage) == b"x"


async def test_writing_and_deleting_under_the_same_key_spare_an_upload(storage):
    async def broken():
        yield bytes(2 * MIB)
        raise RuntimeError

    upload = await begun(storage)
    parts = await sent(upload, [b"x"])
    with pytest.raises(RuntimeError):
        await storage.write(KEY, broken(), **NAMED)
    await storage.delete([KEY])

    await upload.complete(parts)

    assert await read(storage) == b"x"


@pytest.mark.parametrize("handle", ["1234567890123456789", "2~never-there", "", "../../etc/passwd", "a/b"])
async def test_an_upload_that_is_not_there_is_lost(storage, handle):
    upload = storage.open_upload(KEY, handle)

    with pytest.raises(UploadLost):
        await upload.send(1, b"x")
    with pytest.raises(UploadLost):
        await upload.complete([Part(1, 1, '"9dd4e461268c8034f5c8564e155c67a6"')])
    await upload.abort()


async def test_an_object_that_is_not_of_these_parts_is_no_completion(storage):
    upload = await begun(storage)
    await upload.complete(await sent(upload, [b"other"]))

    with pytest.raises(UploadLost):
        await upload.complete([Part(1, 4, '"9dd4e461268c8034f5c8564e155c67a6"')])


@pytest.mark.parametrize(
    "named",
    [[], [2], [1, 3], [1, 1], [1, 2, 4]],
    ids=["none", "first missing", "middle missing", "twice", "last never sent"],
)
async def test_parts_that_are_not_all_there_are_lost(storage, named):
    upload = await begun(storage)
    parts = dict(enumerate(await sent(upload, pieces(PART, PART, 4)), 1))
    parts[4] = Part(3, PART, parts[1].etag)

    with pytest.raises(UploadLost):
        await upload.complete([parts[number] for number in named])
    assert await storage.head(KEY) is None


async def test_a_part_that_is_none_is_refused(storage):
    upload = await begun(storage)

    for number, size in ((0, 1), (-1, 1), (1, PART + 1)):
        with pytest.raises(ValueError, match="a part has"):
            await upload.send(number, bytes(size))


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../b", "a//b"])
async def test_a_key_that_is_no_key_is_refused(storage, key):
    with pytest.raises(BadRecipe):
        await begun(storage, key)
    with pytest.raises(BadRecipe):
        storage.open_upload(key, "1")


@pytest.mark.parametrize(
    "name", ["日" * 66, "n" * 200, "n" * 255, "é" * 127, "a#b #.zip", "...", "%2e%2e +&c=d;~*'()!$,:@? "]
)
async def test_long_and_odd_names_can_grow(storage, other, name):
    key = f"artifacts/018f/1/{name}"
    upload = await begun(storage, key)

    parts = await sent(upload, [b"x"])
    await other.open_upload(key, upload.handle).complete(parts)

    assert await keys(storage) == [key]


async def test_a_sweep_spares_what_is_kept_and_what_is_young(storage, left):
    kept, over = await begun(storage), await begun(storage, "artifacts/018f/2/b")
    parts = await sent(kept, [b"x"])

    assert await storage.sweep_uploads(older_than_s=3_600) == 0
    assert await storage.sweep_uploads(older_than_s=-5, keep={kept.handle, secrets.token_hex()}) == 1
    with pytest.raises(UploadLost):
        await over.send(1, b"x")
    await kept.complete(parts)
    assert await read(storage) == b"x"
    assert left() == []
    assert await storage.sweep_uploads(older_than_s=-5) == 0


async def test_uploads_of_one_key_do_not_meet(storage):
    first, second = await begun(storage), await begun(storage)
    parts = await sent(first, [b"first"])
    await sent(second, [b"second!"])
    await second.abort()

    await first.complete(parts)

    assert await read(storage) == b"first"
    assert first.handle != second.handle


async def test_a_store_that_is_gone_is_unavailable_and_nothing_is_lost(adapter, storage, tmp_path):
    if adapter != "folder":
        pytest.skip("S3's addresses are in test_storage_s3, memory is always there")
    upload = await begun(storage)
    parts = await sent(upload, [b"x"])
    (tmp_path / "store").rename(tmp_path / "elsewhere")

    for call in (upload.send(2, b"x"), upload.complete(parts), begun(storage)):
        with pytest.raises(StorageUnavailable):
            await call
    assert not (tmp_path / "store").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    await upload.complete(parts)
    assert await read(storage) == b"x"
