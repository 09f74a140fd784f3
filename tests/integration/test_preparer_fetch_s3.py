"""fetch from a real S3 server by a signed URL: its ETags, ranges and redirects are not of our making."""

import hashlib
import random

import pytest

from haulier.preparers import Input, Mark, Resumable
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild
from tests.fetching import content, pieces
from tests.s3 import S3_MARKS, S3Server

pytestmark = [*S3_MARKS]

CONTENT = random.Random(5).randbytes(6 * 2**20)
KEY = "a b/ü.bin"


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


def job(server: S3Server, bucket: str) -> FakeBuild:
    url = server.client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": KEY}, ExpiresIn=300)
    return FakeBuild(FetchParams(url=url), settings=Settings(fetch_allow_private=True))


async def test_an_object_put_at_once_has_its_md5_for_an_etag_and_continues_from_a_mark(
    s3_server: S3Server,
    bucket: str,
):
    etag = s3_server.client.put_object(Bucket=bucket, Key=KEY, Body=CONTENT)["ETag"]
    result = await prepare(job(s3_server, bucket))
    assert isinstance(result, Resumable)
    assert result.digests == {"md5": hashlib.md5(CONTENT, usedforsecurity=False).digest()}
    assert [(each.etag, each.size) for each in result.inputs or ()] == [(etag, len(CONTENT))]
    first = await pieces(result, marks=2)
    assert isinstance(first[-1], Mark)
    rest = await content(await prepare(job(s3_server, bucket)), mark=first[-1])
    assert b"".join(piece for piece in first if isinstance(piece, bytes)) + rest == CONTENT


async def test_an_object_put_in_parts_has_a_version_and_no_digest(s3_server: S3Server, bucket: str):
    client, halves = s3_server.client, (CONTENT[: 5 * 2**20], CONTENT[5 * 2**20 :])
    upload = client.create_multipart_upload(Bucket=bucket, Key=KEY)["UploadId"]
    place = {"Bucket": bucket, "Key": KEY, "UploadId": upload}
    tags = [client.upload_part(PartNumber=n, Body=half, **place)["ETag"] for n, half in enumerate(halves, 1)]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **place)
    result = await prepare(job(s3_server, bucket))
    assert isinstance(result, Resumable)
    assert result.digests == {}
    assert isinstance(result.inputs[0], Input)
    assert result.inputs[0].etag.endswith('-2"')
    assert await content(result) == CONTENT
