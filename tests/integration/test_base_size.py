"""Nothing grows without bound: after a few hundred jobs and their retention, tables and Redis are as before."""

from datetime import timedelta

import pytest

from haulier.clock import SYSTEM_CLOCK
from haulier.dispatch.sweeping import expire_artefacts, forget, sweep_builds, sweep_orphans, sweep_records
from haulier.engine import Engine, queue
from haulier.errors import SourceMissing
from haulier.job import Request, Status
from haulier.limits import FREE
from haulier.redis_client import redis_client
from haulier.storage import open_storage
from tests.integration.house import stream, worker
from tests.integration.ledger_steps import batch, taken
from tests.waiting import eventually

USERS, JOBS_OF_EACH = 20, 15
# Grow with the code or with the number of roles, not with use.
FIXED = {"haulier_migrations", "job_transitions", "roles"}
RETENTION = {"jobs_after": timedelta(days=30), "events_after": timedelta(days=90)}


@pytest.fixture
async def redis(settings):
    client = redis_client(settings.redis_url, socket_timeout_s=5, decode=True)
    yield client
    await client.aclose()


async def rows(connection):
    """Rows of each table that grows with use."""
    tables = await connection.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    names = {row["relname"] for row in tables} - FIXED
    return {name: await connection.fetchval(f"select count(*) from {name}") for name in names}


async def lasting_keys(redis, prefix):
    """Our keys without an end, by what follows the prefix."""
    found = [key async for key in redis.scan_iter(f"{prefix}*")]
    return {key.removeprefix(f"{prefix}:") for key in found if await redis.ttl(key) == -1}


async def prepare(build):
    if build.request.file_id % 5 == 0:
        raise SourceMissing(name="the source")
    return stream(b"x" * 1_000)


async def test_tables_store_and_redis_return_to_their_base_size(settings, ledger, connection, redis, at, monkeypatch):
    base = await rows(connection)
    async with worker(settings, ledger, prepare) as house:
        jobs = [
            await house.submit(user_id=f"user {user}", request=Request(file_id=70_000 + n), limits=FREE_BUT_QUICK)
            for user in range(USERS)
            for n in range(JOBS_OF_EACH)
        ]
        await ledger.batches.submit(batch(20, first=80_000, user_id="user 0"))
        for job in jobs[::7]:
            await ledger.attempts.cancel(job.id, user_id=None)

        async def over():
            return not await connection.fetchval("select count(*) from jobs where completed_at is null")

        await eventually(over)
        assert {(await ledger.jobs.get(job.id)).status for job in jobs} == {
            Status.COMPLETED,
            Status.FAILED,
            Status.CANCELLED,
        }
        assert len(house.artefacts()) > 100
    await taken(ledger)  # the dispatcher's look at the line
    storage = open_storage(settings, clock=SYSTEM_CLOCK)
    async with Engine.open(settings.redis_url, prefix=settings.redis_prefix) as engine:
        monkeypatch.setattr(queue, "COMPLETED_KEPT_S", 0)
        monkeypatch.setattr(queue, "FAILED_KEPT_S", 0)
        for days in (2, 40, 140):
            await at(days=days)
            await expire_artefacts(ledger, storage)
            await sweep_builds(ledger, storage)
            await sweep_orphans(ledger, storage, now=SYSTEM_CLOCK.now() + timedelta(days=days), longest_upload_s=60)
            await sweep_records(ledger, engine)
            await forget(ledger, **RETENTION)
    assert await rows(connection) == base
    assert house.artefacts() == []
    assert await lasting_keys(redis, settings.redis_prefix) == {"downloads:events", "downloads:id", "downloads:meta"}
    assert int(await redis.hget(f"{settings.redis_prefix}:downloads:meta", "opts.maxLenEvents")) <= 10_000


FREE_BUT_QUICK = type(FREE)(rate_per_minute=1_000, quota_per_day=1_000, running=FREE.running)


async def test_more_than_fits_into_one_statement_is_forgotten_in_rounds(ledger, connection, at, monkeypatch):
    monkeypatch.setattr("haulier.ledger.retention.FORGOTTEN_AT_ONCE", 2)
    await connection.execute(
        "insert into job_events (job_id, version, at, status, reason, attempt)"
        " select gen_random_uuid(), 1, now() - interval '91 days', 'queued', 'submitted', 0 from generate_series(1, 7)"
    )
    await forget(ledger, **RETENTION)
    assert (await rows(connection))["job_events"] == 0
