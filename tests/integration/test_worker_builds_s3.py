"""Builds in a real worker over a real S3 server: gone on with in the same multipart upload, aborted with the job."""

import msgspec
import pytest

from haulier.job import Status
from haulier.settings import Secret
from haulier.storage import open_storage
from haulier.storage.objects import PART_BYTES
from tests.integration.house import worker
from tests.integration.test_worker_builds import CHUNK, CHUNKS, CONTENT, Bakery, at_once, bakery
from tests.s3 import S3_MARKS
from tests.waiting import eventually

__all__ = ["at_once", "bakery"]  # fixtures

pytestmark = [*S3_MARKS, pytest.mark.usefixtures("s3_credentials")]


@pytest.fixture
def bucket(s3_server):
    return s3_server.new_bucket()


@pytest.fixture
def settings(settings, s3_server, bucket):
    return msgspec.structs.replace(settings, storage_url=Secret(s3_server.url(bucket)))


async def content_of(settings, job) -> bytes:
    return b"".join([chunk async for chunk in open_storage(settings).read(job.artefact.key)])


@pytest.mark.usefixtures("at_once")
async def test_an_attempt_goes_on_in_the_upload_of_the_one_before(settings, ledger, bakery: Bakery, s3_server, bucket):
    bakery.breaks_at = CHUNKS - 1
    async with worker(settings, ledger, bakery.prepare) as house:
        job = await house.until(await house.submit(), Status.COMPLETED)
    assert job.attempt == 2
    assert await content_of(settings, job) == CONTENT
    assert len(bakery.made) - CHUNKS <= PART_BYTES // CHUNK + 2
    assert s3_server.uploads(bucket) == []


async def test_a_cancelled_build_leaves_no_upload(settings, ledger, bakery: Bakery, s3_server, bucket):
    bakery.waits_at = CHUNKS - 1
    async with worker(settings, ledger, bakery.prepare) as house:
        job = await house.submit()
        await bakery.waiting.wait()
        assert s3_server.uploads(bucket)
        await ledger.attempts.cancel(job.id, user_id=job.user_id)
        await eventually(lambda: not s3_server.uploads(bucket))


async def test_two_users_share_one_object(settings, ledger, bakery: Bakery, s3_server, bucket):
    async with worker(settings, ledger, bakery.prepare) as house:
        one = await house.until(await house.submit(user_id="anna"), Status.COMPLETED)
        other = await house.until(await house.submit(user_id="bob"), Status.COMPLETED)
    assert (bakery.opened, one.artefact) == (1, other.artefact)
    listed = s3_server.client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == [one.artefact.key]
