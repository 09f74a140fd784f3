"""What only S3 has: presigned links, multipart uploads, credentials, addresses that do not answer."""

import asyncio
import socket
import time

import httpx
import msgspec
import pytest

from haulier.errors import StorageFailed, StorageUnavailable
from haulier.job import Artefact
from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage
from haulier.storage.names import content_disposition
from haulier.storage.objects import PING_S
from tests.s3 import S3_MARKS

pytestmark = [*S3_MARKS, pytest.mark.usefixtures("s3_credentials")]

KEY = "artifacts/018f/1/ünï côdé+日本.zip"
BODY = b"0123456789" * 10
ARTEFACT = Artefact(KEY, 'Bericht "ü" 日本;\r\nX: 1.zip', "application/zip", len(BODY), '"e"')


@pytest.fixture
def bucket(s3_server):
    return s3_server.new_bucket()


@pytest.fixture
def storage(s3_server, bucket) -> Storage:
    return opened(s3_server.url(bucket))


def opened(url: str) -> Storage:
    return open_storage(Settings(storage_url=Secret(url)))


async def stream(*chunks: bytes):
    for chunk in chunks:
        yield chunk


async def signed(storage: Storage, artefact: Artefact = ARTEFACT, expires_s: int = 60) -> str:
    return (await storage.sign(artefact, job_id="018f", expires_s=expires_s)).url


async def fetch(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url, headers=headers)


async def test_a_link_downloads_with_the_artefacts_name_and_type(storage):
    await storage.write(KEY, stream(BODY), file_name="other", content_type="text/plain")

    answer = await fetch(await signed(storage))

    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == content_disposition(ARTEFACT.file_name)
    assert "x" not in answer.headers


@pytest.mark.parametrize(
    "name",
    [
        "🎉👩‍👩‍👧 party.zip",
        "تقرير ١٢.pdf",
        "דו״ח (1).zip",
        'a "quoted" \\ name; filename=x.zip',
        "line\r\nbreak\x00.zip",
        "100% +plus & more=#?.zip",
        "日" * 85,  # 255 bytes
        "x" * 255,
        " ",
    ],
)
async def test_any_name_arrives_through_the_store_as_it_was_signed(storage, name):
    await storage.write(KEY, stream(BODY), file_name="x", content_type="text/plain")

    answer = await fetch(await signed(storage, msgspec.structs.replace(ARTEFACT, file_name=name)))

    assert answer.content == BODY
    assert answer.headers["content-disposition"] == content_disposition(name)


async def test_a_link_answers_a_range(storage):
    await storage.write(KEY, stream(BODY), file_name="x", content_type="text/plain")

    answer = await fetch(await signed(storage), Range="bytes=5-9")

    assert (answer.status_code, answer.content) == (206, b"56789")
    assert answer.headers["content-range"] == f"bytes 5-9/{len(BODY)}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Signature=", "Signature=0"),
        ("application", "text"),
        ("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        ("018f", "018e"),
    ],
)
async def test_an_altered_link_is_refused(storage, before, after):
    await storage.write(KEY, stream(BODY), file_name="x", content_type="text/plain")
    url = await signed(storage)

    assert before in url
    assert (await fetch(url.replace(before, after))).status_code == 403


async def test_an_expired_link_is_refused(storage):
    await storage.write(KEY, stream(BODY), file_name="x", content_type="text/plain")
    url = await signed(storage, expires_s=1)

    await asyncio.sleep(2.1)

    assert (await fetch(url)).status_code == 403


async def test_name_and_type_are_stored_with_the_object(storage, s3_server, bucket):
    await storage.write(KEY, stream(BODY), file_name="ü.zip", content_type="application/zip")
    await storage.write(f"{KEY}2", stream(bytes(2 << 20)), file_name="ü.zip", content_type="no type\r\nX: y")

    small = s3_server.client.head_object(Bucket=bucket, Key=KEY)
    large = s3_server.client.head_object(Bucket=bucket, Key=f"{KEY}2")

    assert small["ContentDisposition"] == large["ContentDisposition"] == content_disposition("ü.zip")
    assert (small["ContentType"], large["ContentType"]) == ("application/zip", "application/octet-stream")


@pytest.mark.parametrize("end", ["error", "cancel"])
async def test_an_aborted_write_leaves_no_multipart_upload(storage, s3_server, bucket, end):
    sent = asyncio.Event()

    async def aborted():
        for _ in range(5):
            yield bytes(8 << 20)
        sent.set()
        if end == "error":
            raise RuntimeError
        await asyncio.sleep(60)

    writing = asyncio.create_task(storage.write(KEY, aborted(), file_name="x", content_type="text/plain"))
    await sent.wait()
    if end == "cancel":
        writing.cancel()
    with pytest.raises((RuntimeError, asyncio.CancelledError)):
        await writing

    assert s3_server.uploads(bucket) == []
    assert await storage.head(KEY) is None


async def test_a_bucket_that_does_not_exist_is_named_by_ping_and_write(s3_server):
    storage = opened(s3_server.url("no-such-bucket"))

    with pytest.raises(StorageUnavailable) as caught:
        await storage.ping()
    assert caught.value.facts["reason"] == "it answered NoSuchBucket"
    with pytest.raises(StorageFailed, match="the bucket does not exist"):
        await storage.write(KEY, stream(b"x"), file_name="x", content_type="text/plain")
    with pytest.raises(StorageUnavailable):
        [chunk async for chunk in storage.read(KEY)]


async def test_wrong_credentials_are_an_outage_and_no_verdict_on_the_object(s3_server, bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    storage = opened(s3_server.url(bucket))

    for call in (storage.ping(), storage.head(KEY), anext(storage.read(KEY))):
        with pytest.raises(StorageUnavailable) as caught:
            await call
        assert "wrong-secret" not in str(caught.value.facts)


async def test_an_address_that_refuses_is_unavailable():
    storage = opened("s3://bucket?endpoint=http://127.0.0.1:9")

    for call in (storage.ping(), storage.head(KEY), storage.delete([KEY])):
        with pytest.raises(StorageUnavailable):
            await call
    with pytest.raises(StorageUnavailable):
        await storage.write(KEY, stream(bytes(3 << 20)), file_name="x", content_type="text/plain")


async def test_ping_gives_up_within_two_seconds_on_a_silent_address():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        storage = opened(f"s3://bucket?endpoint=http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(StorageUnavailable) as caught:
            await storage.ping()

    assert PING_S < 2
    assert time.monotonic() - started < PING_S + 5  # the rest is for a busy machine; without an end it takes a minute
    assert caught.value.facts["reason"] == "it did not answer in time"


async def test_a_sweep_aborts_forgotten_uploads_of_artefacts_alone(storage, s3_server, bucket):
    for key in (KEY, "downloads/other"):
        s3_server.client.create_multipart_upload(Bucket=bucket, Key=key)

    assert await storage.sweep_uploads(older_than_s=3_600) == 0
    assert await storage.sweep_uploads(older_than_s=-5) == 1
    assert s3_server.uploads(bucket) == ["downloads/other"]
