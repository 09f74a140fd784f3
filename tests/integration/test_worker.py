"""The worker with real ledger, engine and store: results, retries, fencing, cancelling, hand-back."""

import asyncio
import hashlib

import msgspec
import pytest

from haulier.errors import SourceMissing, SourceUnavailable
from haulier.job import Request, Status
from haulier.preparers import Existing
from tests.integration.house import House, bytes_of, stream, worker
from tests.waiting import eventually


async def events(connection, job):
    rows = await connection.fetch("select reason from job_events where job_id = $1 order by version", job.id)
    return [row["reason"] for row in rows]


async def attempts(connection, job):
    rows = await connection.fetch("select outcome from attempts where job_id = $1 order by number", job.id)
    return [row["outcome"] for row in rows]


async def test_a_stream_becomes_a_verified_artefact(settings, ledger):
    async def prepare(build):
        return stream(b"hello ", b"world", file_name="grüße.txt", content_type="text/plain")

    async with worker(settings, ledger, prepare) as house:
        done = await house.until(await house.submit(), Status.COMPLETED)
    assert done.artefact.sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert (done.artefact.size, done.artefact.file_name) == (11, "grüße.txt")
    assert (house.store / done.artefact.key).read_bytes() == b"hello world"


async def test_an_existing_object_is_published_as_it_is(settings, ledger):
    async def prepare(build):
        info = await build.storage.head("downloads/a.zip")
        return Existing(key=info.key, size=info.size, etag=info.etag, file_name="a.zip")

    async with worker(settings, ledger, prepare) as house:
        (house.store / "downloads").mkdir(parents=True, exist_ok=True)
        (house.store / "downloads/a.zip").write_bytes(b"content")
        done = await house.until(await house.submit(), Status.COMPLETED)
    assert done.artefact.key == "downloads/a.zip"
    assert done.artefact.sha256 == hashlib.sha256(b"content").hexdigest()
    assert house.artefacts() == []


async def test_a_waiting_job_is_taken_when_a_worker_comes(settings, ledger):
    async def prepare(build):
        return stream(b"x")

    job = await House(ledger, settings).submit()
    async with worker(settings, ledger, prepare) as house:
        await house.until(job, Status.COMPLETED)


async def test_progress_is_written_while_the_attempt_runs(settings, ledger):
    go_on = asyncio.Event()

    async def prepare(build):
        build.report(done=30, total=100, stage="reading")
        await go_on.wait()
        return stream(b"x")

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()

        async def seen():
            return (await ledger.jobs.get(job.id)).progress.percent == 30

        await eventually(seen)
        go_on.set()
        await house.until(job, Status.COMPLETED)


async def test_a_permanent_error_fails_the_job_at_once(settings, ledger, connection):
    async def prepare(build):
        raise SourceMissing(name="a.txt")

    async with worker(settings, ledger, prepare) as house:
        failed = await house.until(await house.submit(), Status.FAILED)
    assert failed.error.code == "source_missing"
    assert await attempts(connection, failed) == ["failed"]


async def test_a_transient_error_queues_the_job_and_the_next_attempt_completes_it(settings, ledger, connection, at):
    tries = 0

    async def prepare(build):
        nonlocal tries
        tries += 1
        if tries == 1:
            raise SourceUnavailable(name="a.txt", reason="it timed out")
        return stream(b"x")

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await house.until_backing_off(job)
        await at(seconds=8)
        done = await house.until(job, Status.COMPLETED)
    assert await events(connection, done) == ["submitted", "claimed", "retried", "claimed", "completed"]


async def test_a_job_is_never_failed_while_attempts_remain_and_fails_after_the_last(settings, ledger, connection):
    async def prepare(build):
        raise RuntimeError("a defect with internals")

    async with worker(settings, ledger, prepare) as house:
        failed = await house.until(await house.submit(max_attempts=1), Status.FAILED)
    assert failed.error.code == "preparation_failed"
    assert "internals" not in failed.error.message


@pytest.mark.parametrize("said", [3, 100])
async def test_a_stream_that_lies_about_its_size_publishes_nothing(settings, ledger, said):
    async def prepare(build):
        return stream(b"hello", size=said)

    async with worker(settings, ledger, prepare) as house:
        failed = await house.until(await house.submit(max_attempts=1), Status.FAILED)
    assert failed.error.code == "source_truncated"
    assert house.artefacts() == []


async def test_an_error_in_mid_stream_leaves_nothing_behind(settings, ledger):
    async def broken():
        yield b"x" * 2_000_000
        raise SourceUnavailable(name="a.txt", reason="it was cut")

    async def prepare(build):
        return msgspec.structs.replace(stream(), chunks=broken())

    async with worker(settings, ledger, prepare) as house:
        failed = await house.until(await house.submit(max_attempts=1), Status.FAILED)
    assert failed.error.code == "source_unavailable"
    assert house.artefacts() == []


async def test_a_cancel_stops_the_preparer_and_its_upload(settings, ledger):
    stopped = asyncio.Event()

    async def endless():
        try:
            while True:
                yield b"x" * 100_000
                await asyncio.sleep(0.01)
        finally:
            stopped.set()

    async def prepare(build):
        return msgspec.structs.replace(stream(), chunks=endless())

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await house.until(job, Status.PROCESSING)
        await ledger.attempts.cancel(job.id, user_id=job.user_id)
        await asyncio.wait_for(stopped.wait(), 10)

        async def gone():
            return house.artefacts() == []

        await eventually(gone)
        assert (await ledger.jobs.get(job.id)).status is Status.CANCELLED


async def test_a_busy_preparer_stops_at_its_next_report(settings, ledger):
    stopped = asyncio.Event()

    def busy(build):
        while True:
            build.report(done=1, total=2)

    async def prepare(build):
        try:
            await asyncio.to_thread(busy, build)
        finally:
            stopped.set()

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await house.until(job, Status.PROCESSING)
        await ledger.attempts.cancel(job.id, user_id=job.user_id)
        await asyncio.wait_for(stopped.wait(), 15)


async def test_an_attempt_that_takes_too_long_is_stopped(settings, ledger):
    settings = msgspec.structs.replace(settings, attempt_timeout_s=1.0)

    async def prepare(build):
        await asyncio.Event().wait()

    async with worker(settings, ledger, prepare) as house:
        failed = await house.until(await house.submit(max_attempts=1), Status.FAILED)
    assert failed.error.code == "took_too_long"


async def test_a_stopping_worker_hands_back_what_it_cannot_finish(settings, ledger, connection):
    async def prepare(build):
        await asyncio.Event().wait()

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await house.until(job, Status.PROCESSING)
    back = await ledger.jobs.get(job.id)
    assert (back.status, back.attempts_used) == (Status.QUEUED, 0)
    assert await attempts(connection, back) == ["handed_back"]


async def test_a_stopping_worker_lets_a_job_finish_within_the_grace_time(settings, ledger):
    settings = msgspec.structs.replace(settings, grace_s=15.0)
    go_on = asyncio.Event()

    async def prepare(build):
        await go_on.wait()
        return stream(b"x")

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await house.until(job, Status.PROCESSING)
        asyncio.get_running_loop().call_later(0.3, go_on.set)
    assert (await ledger.jobs.get(job.id)).status is Status.COMPLETED


async def test_a_checkpoint_reaches_the_next_attempt(settings, ledger, at):
    seen = []

    async def prepare(build):
        seen.append(build.checkpoint)
        if build.checkpoint is None:
            await build.save({"part": 3})
            raise SourceUnavailable(name="a.txt", reason="it timed out")
        return stream(b"x")

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await house.until_backing_off(job)
        await at(seconds=8)
        await house.until(job, Status.COMPLETED)
    assert seen == [None, {"part": 3}]


async def test_two_workers_share_the_work_and_do_none_of_it_twice(settings, ledger, connection):
    async def prepare(build):
        return stream(b"x")

    async with worker(settings, ledger, prepare) as house, worker(settings, ledger, prepare):
        jobs = [await house.submit(user_id=f"u{n}", request=Request(file_id=70_000 + n)) for n in range(60)]
        for job in jobs:
            await house.until(job, Status.COMPLETED)
    assert await connection.fetchval("select count(*) from attempts") == 60
    assert len(house.artefacts()) == 60


async def test_the_store_takes_a_name_that_is_not_a_path(settings, ledger):
    async def prepare(build):
        return stream(b"x", file_name="../../etc/passwd")

    async with worker(settings, ledger, prepare) as house:
        done = await house.until(await house.submit(), Status.COMPLETED)
    assert house.artefacts() == [done.artefact.key]


async def test_chunks_of_a_large_stream_arrive_whole(settings, ledger):
    blocks = [bytes([n]) * 300_000 for n in range(40)]

    async def prepare(build):
        return msgspec.structs.replace(stream(), chunks=bytes_of(*blocks), size=12_000_000)

    async with worker(settings, ledger, prepare) as house:
        done = await house.until(await house.submit(), Status.COMPLETED)
    assert done.artefact.sha256 == hashlib.sha256(b"".join(blocks)).hexdigest()
