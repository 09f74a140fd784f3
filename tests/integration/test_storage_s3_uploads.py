"""Uploads in parts to S3: headers, what the store refuses, addresses that do not answer."""

import asyncio
import logging
import threading
import tracemalloc

import pytest

from haulier.errors import StorageFailed, StorageUnavailable, UploadLost
from haulier.settings import Secret, Settings
from haulier.storage import Part, Storage, open_storage, s3_uploads
from haulier.storage.names import content_disposition
from haulier.storage.s3_uploads import S3Uploads
from tests.s3 import S3_MARKS

pytestmark = [*S3_MARKS, pytest.mark.usefixtures("s3_credentials")]

KEY = "artifacts/018f/1/ünï côdé+日本.zip"
NAMED = {"file_name": "x.zip", "content_type": "application/zip"}
ETAG = '"9dd4e461268c8034f5c8564e155c67a6"'
MIB = 1 << 20


@pytest.fixture
def bucket(s3_server):
    return s3_server.new_bucket()


@pytest.fixture
def storage(s3_server, bucket) -> Storage:
    return opened(s3_server.url(bucket))


def opened(url: str) -> Storage:
    return open_storage(Settings(storage_url=Secret(url)))


async def test_name_and_type_are_stored_with_the_object(storage, s3_server, bucket):
    upload = await storage.begin_upload(KEY, file_name='"ü"\r\n.zip', content_type="no type\r\nX: y")
    etag = await upload.complete([await upload.send(1, b"x")])

    found = s3_server.client.head_object(Bucket=bucket, Key=KEY)

    assert found["ContentDisposition"] == content_disposition('"ü"\r\n.zip')
    assert found["ContentType"] == "application/octet-stream"
    assert found["ETag"] == etag


async def test_further_parameters_go_into_the_request_that_begins(storage, s3_server, bucket):
    uploads = S3Uploads(lambda: s3_server.client, bucket, head=storage.head, extra={"Metadata": {"kept": "yes"}})
    upload = storage.open_upload(KEY, await uploads.begin(KEY, **NAMED))

    await upload.complete([await upload.send(1, b"x")])

    assert s3_server.client.head_object(Bucket=bucket, Key=KEY)["Metadata"] == {"kept": "yes"}


async def test_a_part_that_was_replaced_behind_our_back_is_lost(storage, s3_server, bucket):
    upload = await storage.begin_upload(KEY, **NAMED)
    part = await upload.send(1, b"ours")
    s3_server.client.upload_part(Bucket=bucket, Key=KEY, UploadId=upload.handle, PartNumber=1, Body=b"else")

    with pytest.raises(UploadLost):
        await upload.complete([part])
    assert await storage.head(KEY) is None


async def test_without_a_handle_the_object_itself_is_left_alone(storage):
    upload = await storage.begin_upload(KEY, **NAMED)
    etag = await upload.complete([await upload.send(1, b"x")])
    nothing = storage.open_upload(KEY, "")

    await nothing.abort()
    with pytest.raises(UploadLost):
        await nothing.send(1, b"spoiled")

    assert (await storage.head(KEY)).etag == etag


async def test_more_parts_than_the_store_takes_are_refused(storage):
    upload = storage.open_upload(KEY, "2~any")

    with pytest.raises(StorageFailed, match="at most 156 GiB an object"):
        await upload.send(10_001, b"x")


async def test_an_abort_waits_for_parts_that_nobody_awaits_any_more(storage, s3_server, bucket, monkeypatch):
    upload = await storage.begin_upload(KEY, **NAMED)
    client, begun, may_end, calls = storage._uploads._connected(), threading.Event(), threading.Event(), []
    send, abort, wait = client.upload_part, client.abort_multipart_upload, s3_uploads.wait

    def slow(**params):
        begun.set()
        may_end.wait(10)
        answer = send(**params)
        calls.append("sent")
        return answer

    def waited(*args):
        may_end.set()
        return wait(*args)

    monkeypatch.setattr(client, "upload_part", slow)
    monkeypatch.setattr(client, "abort_multipart_upload", lambda **params: (calls.append("aborted"), abort(**params)))
    monkeypatch.setattr(s3_uploads, "wait", waited)
    sending = asyncio.create_task(upload.send(1, b"x"))
    await asyncio.to_thread(begun.wait, 10)
    sending.cancel()

    await upload.abort()

    assert calls == ["sent", "aborted"]
    assert s3_server.uploads(bucket) == []


async def test_an_upload_of_others_is_not_swept(storage, s3_server, bucket):
    theirs = s3_server.client.create_multipart_upload(Bucket=bucket, Key="downloads/other")
    upload = await storage.begin_upload(KEY, **NAMED)

    assert await storage.sweep_uploads(older_than_s=-5, keep=[upload.handle]) == 0
    assert await storage.sweep_uploads(older_than_s=-5, keep=[theirs["UploadId"]]) == 1
    assert s3_server.uploads(bucket) == ["downloads/other"]


async def test_a_bucket_that_does_not_exist_is_named(s3_server):
    storage = opened(s3_server.url("no-such-bucket"))

    with pytest.raises(StorageFailed, match="the bucket does not exist"):
        await storage.begin_upload(KEY, **NAMED)
    with pytest.raises(StorageFailed, match="the bucket does not exist"):
        await storage.open_upload(KEY, "2~any").send(1, b"x")


async def test_wrong_credentials_are_refused_and_not_told(s3_server, bucket, monkeypatch, caplog):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    caplog.set_level(logging.INFO)
    storage = opened(s3_server.url(bucket))
    upload = storage.open_upload(KEY, "2~any")

    for call in (storage.begin_upload(KEY, **NAMED), upload.send(1, b"x"), upload.complete([Part(1, 1, ETAG)])):
        with pytest.raises(StorageFailed, match="the store denied access") as caught:
            await call
        assert "wrong-secret" not in f"{caught.value} {caught.value.__cause__} {caplog.text}"


async def test_an_address_that_refuses_is_unavailable():
    storage = opened("s3://bucket?endpoint=http://127.0.0.1:9")
    upload = storage.open_upload(KEY, "2~any")
    calls = (storage.begin_upload(KEY, **NAMED), upload.send(1, b"x"), upload.complete([Part(1, 1, ETAG)]))

    for answer in await asyncio.gather(*calls, upload.abort(), return_exceptions=True):
        assert isinstance(answer, StorageUnavailable)
        assert answer.facts["reason"] == "it could not be reached"


@pytest.mark.parametrize(("scheme", "are_signed"), [("https", False), ("http", True)])
async def test_bytes_are_signed_where_tls_does_not_guard_them(scheme, are_signed):
    config = opened(f"s3://bucket?endpoint={scheme}://127.0.0.1:9")._uploads._connected().meta.config

    assert config.s3["payload_signing_enabled"] is are_signed
    assert config.request_checksum_calculation == config.response_checksum_validation == "when_required"
    assert config.max_pool_connections >= 16


async def test_sending_a_part_does_not_copy_it(storage):
    upload = await storage.begin_upload(KEY, **NAMED)
    content = bytes(16 * MIB)
    await upload.send(1, b"warm")

    tracemalloc.start()
    try:
        await upload.send(1, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB
