"""One set of promises for every adapter of the Storage port: folder, memory and S3."""

import asyncio
import gc
import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from haulier.errors import BadRecipe, SourceChanged, SourceMissing
from haulier.settings import Secret, Settings
from haulier.storage import Storage, folder, objects, open_storage
from tests.s3 import S3_MARKS

KEY = "artifacts/018f/1/a file.zip"
MIB = 1 << 20
NAMED = {"file_name": "a file.zip", "content_type": "application/zip"}
ADAPTERS = ["folder", "memory", pytest.param("s3", marks=S3_MARKS)]


@pytest.fixture(params=ADAPTERS)
def storage(request, tmp_path) -> Storage:
    return open_storage(Settings(storage_url=Secret(storage_url(request, tmp_path)), url_secret=Secret("s" * 32)))


def storage_url(request, tmp_path) -> str:
    if request.param == "s3":
        request.getfixturevalue("s3_credentials")
        server = request.getfixturevalue("s3_server")
        return server.url(server.new_bucket())
    return {"folder": f"file://{tmp_path}/store", "memory": "memory:"}[request.param]


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(storage: Storage, key: str, **span) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, **span)])


async def keys(storage: Storage, prefix: str = "") -> list[str]:
    return [info.key async for info in storage.list(prefix)]


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 20 * MIB + 7])
async def test_what_was_written_is_read(storage, size):
    whole = some_bytes(size)
    chunks = [whole[at : at + 300_000] for at in range(0, size, 300_000)]

    written = await storage.write(KEY, stream(*chunks), **NAMED)

    assert (written.size, written.sha256) == (size, hashlib.sha256(whole).hexdigest())
    assert await content(storage, KEY) == whole
    info = await storage.head(KEY)
    assert info is not None
    assert (info.key, info.size, info.etag) == (KEY, size, written.etag)
    assert info.etag.startswith('"')


async def test_empty_chunks_do_not_end_a_stream(storage):
    written = await storage.write(KEY, stream(b"a", b"", b"b", b""), **NAMED)

    assert written.size == 2
    assert await content(storage, KEY) == b"ab"


async def test_a_large_chunk_is_taken_whole_and_given_back_in_small_ones(storage):
    whole = some_bytes(9 * MIB)
    await storage.write(KEY, stream(whole), **NAMED)

    chunks = [chunk async for chunk in storage.read(KEY)]

    assert b"".join(chunks) == whole
    assert max(map(len, chunks)) <= MIB


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (0, 3, b"abc"),
        (2, None, b"cdef"),
        (5, 6, b"f"),
        (4, 100, b"ef"),
        (6, None, b""),
        (3, 3, b""),
        (9, 12, b""),
    ],
)
async def test_a_range_is_half_open_and_ends_with_the_object(storage, start, end, wanted):
    await storage.write(KEY, stream(b"abcdef"), **NAMED)

    assert await content(storage, KEY, start=start, end=end) == wanted


async def test_an_empty_object_has_an_empty_range(storage):
    await storage.write(KEY, stream(), **NAMED)

    assert await content(storage, KEY, start=0, end=0) == b""
    assert await content(storage, KEY) == b""


async def test_an_object_that_is_not_there_is_missing(storage):
    assert await storage.head(KEY) is None
    for span in ({}, {"start": 1}, {"start": 1, "end": 1}, {"etag": '"x"'}):
        with pytest.raises(SourceMissing):
            await content(storage, KEY, **span)


async def test_a_read_of_another_version_is_refused(storage):
    before = await storage.write(KEY, stream(b"before"), **NAMED)
    await storage.write(KEY, stream(b"afterwards"), **NAMED)

    for span in ({}, {"start": 1}, {"start": 1, "end": 2}):
        with pytest.raises(SourceChanged):
            await content(storage, KEY, etag=before.etag, **span)
    now = await storage.head(KEY)
    assert await content(storage, KEY, etag=now.etag) == b"afterwards"


@pytest.mark.parametrize("sent", [0, 10, 12 * MIB])
async def test_an_error_of_the_source_comes_out_unchanged_and_nothing_stays(storage, sent):
    failure = OSError("the source broke")

    async def broken():
        yield some_bytes(sent)
        raise failure

    with pytest.raises(OSError, match="the source broke") as caught:
        await storage.write(KEY, broken(), **NAMED)

    assert caught.value is failure
    assert await storage.head(KEY) is None
    assert await keys(storage) == []


@pytest.mark.parametrize("sent", [10, 30 * MIB])
async def test_cancelling_a_write_closes_the_source_and_leaves_nothing(storage, sent):
    stalled, closed = asyncio.Event(), asyncio.Event()

    async def stalling():
        try:
            yield some_bytes(sent)
            stalled.set()
            await asyncio.sleep(60)
        finally:
            closed.set()

    writing = asyncio.create_task(storage.write(KEY, stalling(), **NAMED))
    await stalled.wait()
    writing.cancel()
    await asyncio.sleep(0)
    writing.cancel()  # the impatient do not interrupt the cleaning
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert closed.is_set()
    assert await storage.head(KEY) is None
    assert len(asyncio.all_tasks()) == 1


async def test_a_timeout_inside_the_source_may_span_its_chunks(storage):
    async def timed():
        async with asyncio.timeout(30):
            yield b"a" * MIB
            yield b"b"

    assert (await storage.write(KEY, timed(), **NAMED)).size == MIB + 1


async def test_a_failed_write_keeps_the_object_that_was_there(storage):
    await storage.write(KEY, stream(b"good"), **NAMED)

    async def broken():
        yield some_bytes(3 * MIB)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await storage.write(KEY, broken(), **NAMED)

    assert await content(storage, KEY) == b"good"


async def test_closing_a_read_early_is_no_error(storage):
    await storage.write(KEY, stream(some_bytes(9 * MIB)), **NAMED)
    chunks = storage.read(KEY)

    assert await anext(chunks)
    await chunks.aclose()
    gc.collect()


async def test_a_list_is_in_key_order_and_ends_at_whole_segments(storage):
    for key in ("a/b/c", "a/b-c", "a-b/x", "a/é", "a/b/a", "ab", "a/Z"):
        await storage.write(key, stream(b"x"), **NAMED)

    assert await keys(storage) == ["a-b/x", "a/Z", "a/b-c", "a/b/a", "a/b/c", "a/é", "ab"]
    assert await keys(storage, "a/") == ["a/Z", "a/b-c", "a/b/a", "a/b/c", "a/é"]
    assert await keys(storage, "a/b/") == ["a/b/a", "a/b/c"]
    assert await keys(storage, "none/") == []


async def test_a_list_goes_on_behind_its_first_thousand(storage):
    names = [f"many/{number:04}" for number in range(1_003)]
    for at in range(0, len(names), 64):
        await asyncio.gather(*(storage.write(name, stream(b""), **NAMED) for name in names[at : at + 64]))

    assert await keys(storage, "many/") == names


async def test_delete_takes_what_is_there(storage):
    await storage.write(KEY, stream(b"x"), **NAMED)
    await storage.write("artifacts/018f/2/b", stream(b"x"), **NAMED)

    await storage.delete(["artifacts/none", KEY, "artifacts/018f/1"])
    await storage.delete([KEY])
    await storage.delete([])

    assert await keys(storage) == ["artifacts/018f/2/b"]


@pytest.mark.parametrize(
    "name",
    [
        "ünïcödé 日本語 🎉.zip",
        "100%.zip",
        "%2e%2e",
        "a+b&c=d;e.zip",
        "#?.zip",
        " lead",
        "trail ",
        ".hidden",
        "~*'()!$,:@",
    ],
)
async def test_any_name_is_a_key(storage, name):
    key = f"artifacts/018f/1/{name}"
    await storage.write(key, stream(b"x"), **NAMED)

    assert await content(storage, key) == b"x"
    assert await keys(storage, "artifacts/") == [key]
    await storage.delete([key])
    assert await keys(storage) == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../b", "a//b", "a/", "./a", "a\\b", "a\0b", "a\nb", "é" * 513])
async def test_a_key_that_is_no_key_is_refused_everywhere(storage, key):
    with pytest.raises(BadRecipe):
        await storage.head(key)
    with pytest.raises(BadRecipe):
        await content(storage, key)
    with pytest.raises(BadRecipe):
        await storage.write(key, stream(b"x"), **NAMED)
    with pytest.raises(BadRecipe):
        await storage.delete([key])


async def test_ping_returns_while_the_store_answers(storage, monkeypatch):
    for module in (folder, objects):  # how soon it has to answer is not what this is about
        monkeypatch.setattr(module, "PING_S", 20)
    await storage.ping()
