"""The dispatcher with real ledger, engine and store: what the engine loses comes back, what is over is removed."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from haulier.clock import SYSTEM_CLOCK
from haulier.dispatch.handover import hand_over, reconcile
from haulier.dispatch.sweeping import expire_artefacts, sweep_orphans, sweep_records
from haulier.job import Request, Status
from haulier.ledger import leadership
from haulier.storage import open_storage
from tests.builders import artefact, submission
from tests.integration.house import stream, worker
from tests.integration.ledger_steps import claimed
from tests.waiting import eventually


@pytest.fixture
def storage(settings):
    return open_storage(settings, clock=SYSTEM_CLOCK)


async def submitted(ledger, count):
    return [
        (await ledger.submissions.submit(submission(request=Request(file_id=70_000 + n)))).job for n in range(count)
    ]


async def test_hand_over_fills_the_window_and_no_more(ledger, engine):
    await submitted(ledger, 10)
    await ledger.workers.announce("w", slots=3)
    assert await hand_over(ledger.backlog, engine) == 5
    assert (await engine.depth()).waiting == 5
    assert await hand_over(ledger.backlog, engine) == 0


async def test_what_the_engine_holds_is_left_alone(ledger, engine, at):
    await submitted(ledger, 3)
    await ledger.workers.announce("w", slots=3)
    await hand_over(ledger.backlog, engine)
    await at(seconds=5)
    assert await reconcile(ledger.backlog, engine) == 0


async def test_jobs_missing_in_the_engine_come_back(ledger, engine, at):
    jobs = await submitted(ledger, 3)
    await ledger.workers.announce("w", slots=3)
    await ledger.backlog.take(most=10)  # marked as handed over, and the process died before it told the engine
    await at(seconds=5)
    assert await reconcile(ledger.backlog, engine) == 3
    assert await hand_over(ledger.backlog, engine) == 3
    assert (await engine.depth()).waiting == 3
    assert (await ledger.jobs.get(jobs[0].id)).handover == 2


async def test_a_running_dispatcher_survives_the_loss_of_all_of_redis(settings, ledger, engine):
    lost = asyncio.Event()

    async def prepare(build):
        await lost.wait()
        return stream(b"x")

    async def waiting():
        return (await engine.depth()).waiting

    async with worker(settings, ledger, prepare) as house:
        jobs = [await house.submit(user_id=f"u{n}", request=Request(file_id=70_000 + n)) for n in range(30)]
        await eventually(waiting)
        await engine._client.delete(*await engine._client.keys(f"{settings.redis_prefix}*"))
        lost.set()
        for job in jobs:
            await house.until(job, Status.COMPLETED, within_s=30)


async def test_one_of_two_candidates_leads_until_it_goes(settings):
    async with leadership(settings.database_url) as second:
        async with leadership(settings.database_url) as first:
            assert await first.held()
            assert not await second.held()
            assert await first.held()

        async def leads():
            return await second.held()

        await eventually(leads)


async def test_expired_artefacts_are_removed_and_sources_are_not(ledger, storage, at):
    ours, theirs = await submitted(ledger, 2)
    key = f"artifacts/{ours.id}/1/a.bin"
    for stored in (key, "downloads/b.zip"):
        await storage.write(stored, _once(b"x"), file_name="f", content_type="text/plain")
    await ledger.attempts.complete(await claimed(ledger, ours), artefact(key=key))
    await ledger.attempts.complete(await claimed(ledger, theirs), artefact(key="downloads/b.zip"))
    await at(hours=25)
    assert len(await expire_artefacts(ledger, storage)) == 2
    assert await storage.head(key) is None
    assert await storage.head("downloads/b.zip") is not None


async def test_orphans_are_swept_and_owned_objects_are_not(ledger, storage, settings):
    (job,) = await submitted(ledger, 1)
    owned, orphan = f"artifacts/{job.id}/1/a.bin", f"artifacts/{uuid4()}/1/a.bin"
    for stored in (owned, orphan):
        await storage.write(stored, _once(b"x"), file_name="f", content_type="text/plain")
    await ledger.attempts.complete(await claimed(ledger, job), artefact(key=owned))
    later = SYSTEM_CLOCK.now() + timedelta(hours=2)
    assert await sweep_orphans(ledger, storage, now=later, longest_upload_s=7_200) == 1
    assert await storage.head(owned) is not None
    assert await storage.head(orphan) is None


async def test_a_fresh_upload_is_not_an_orphan_yet(ledger, storage):
    key = f"artifacts/{uuid4()}/1/a.bin"
    await storage.write(key, _once(b"x"), file_name="f", content_type="text/plain")
    assert await sweep_orphans(ledger, storage, now=SYSTEM_CLOCK.now(), longest_upload_s=7_200) == 0


async def test_old_records_are_forgotten(ledger, engine, connection, at):
    await submitted(ledger, 1)
    await ledger.workers.announce("old", slots=1)
    await at(days=3)
    await sweep_records(ledger, engine)
    assert await connection.fetchval("select count(*) from idempotency") == 0
    assert await connection.fetchval("select count(*) from workers") == 0


async def _once(chunk: bytes):
    yield chunk
