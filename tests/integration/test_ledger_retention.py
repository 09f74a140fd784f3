"""What is over, against a real PostgreSQL: artefacts that jobs share, builds that nobody goes on with, old records."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from haulier.dispatch.sweeping import expire_artefacts
from haulier.job import Request, Status
from haulier.limits import FREE
from tests.builders import artefact, submission
from tests.integration.ledger_steps import HOUR, claimed, failed, taken
from tests.waiting import eventually

KEY = "artifacts/shared/1/a.bin"
BUILD = b"b" * 32
MONTH = timedelta(days=30)
QUARTER = timedelta(days=90)


async def finished(ledger, *, key=KEY, user_id="anna", keep_for=HOUR, **fields):
    """A completed job whose file is kept for `keep_for`."""
    job = (await ledger.submissions.submit(submission(user_id=user_id, keep_for=keep_for, **fields))).job
    return await ledger.attempts.complete(await claimed(ledger, job), artefact(key=key))


async def built(connection, leader, *, key=KEY):
    """The row of a finished build."""
    await connection.execute(
        "insert into builds (key, leader, leader_attempt, touched_at, finished, artefact_key)"
        " values ($1, $2, 1, haulier_now(), true, $3)",
        BUILD,
        leader.id,
        key,
    )


async def begun(connection, leader_id, *, wanted=False, handle="h"):
    """The row of a build that a job leads."""
    await connection.execute(
        "insert into builds (key, leader, leader_attempt, touched_at, wanted, upload_key, upload_handle)"
        " values ($1, $2, 1, haulier_now(), $3, $4, $5)",
        BUILD,
        leader_id,
        wanted,
        KEY,
        handle,
    )


async def forgotten(ledger):
    return await ledger.retention.forget(jobs_after=MONTH, events_after=QUARTER)


async def count(connection, table):
    return await connection.fetchval(f"select count(*) from {table}")


# ---- expiry


async def test_a_shared_object_stays_until_the_last_job_that_has_it_expires(ledger, connection, at):
    first = await finished(ledger, keep_for=HOUR)
    second = await finished(ledger, user_id="bob", keep_for=2 * HOUR)
    await built(connection, first)
    await at(minutes=61)
    expired = await ledger.retention.expire_artefacts()
    assert ([job.id for job in expired.jobs], expired.keys) == ([first.id], frozenset())
    assert await count(connection, "builds") == 1
    await at(minutes=121)
    expired = await ledger.retention.expire_artefacts()
    assert ([job.id for job in expired.jobs], expired.keys) == ([second.id], {KEY})
    assert await count(connection, "builds") == 0


async def test_jobs_that_expire_together_give_their_object_up_once(ledger, at):
    for user_id in ("anna", "bob"):
        await finished(ledger, user_id=user_id)
    await at(minutes=61)
    expired = await ledger.retention.expire_artefacts()
    assert (len(expired.jobs), expired.keys) == (2, {KEY})


async def test_an_object_is_kept_when_a_job_is_completed_with_it_while_another_expires(
    ledger, connection, database_url, at
):
    first = await finished(ledger)
    job = (await ledger.submissions.submit(submission(user_id="bob", keep_for=5 * HOUR))).job
    attempt = await claimed(ledger, job)
    await built(connection, first)
    await at(minutes=61)
    joiner = await asyncpg.connect(database_url.reveal())
    async with joiner.transaction():
        await joiner.execute("select from builds where key = $1 for update", BUILD)
        expiring = asyncio.create_task(ledger.retention.expire_artefacts())
        await _somebody_waits(connection)
        await joiner.execute(
            "update jobs set status = 'completed', completed_at = now(), lease_until = null, handed_at = null,"
            " artefact_key = $2, artefact_name = 'a', artefact_type = 'b', artefact_size = 5, artefact_etag = 'e',"
            " artefact_expires_at = haulier_now() + keep_for where id = $1",
            attempt.job.id,
            KEY,
        )
    await joiner.close()
    expired = await expiring
    assert ([job.id for job in expired.jobs], expired.keys) == ([first.id], frozenset())
    assert await count(connection, "builds") == 1


async def test_nobody_joins_a_build_while_its_object_is_given_up(ledger, connection, database_url, at):
    await built(connection, await finished(ledger))
    await at(minutes=61)
    expiring = await asyncpg.connect(database_url.reveal())
    async with expiring.transaction():
        await expiring.execute("select expire_artefacts(10)")
        joining = asyncio.create_task(
            connection.fetchrow(
                "insert into builds (key, leader, leader_attempt, touched_at) values ($1, $2, 1, now())"
                " on conflict (key) do update set touched_at = now() returning *",
                BUILD,
                uuid4(),
            )
        )
        await _somebody_waits(expiring)
    await expiring.close()
    assert not (await joining)["finished"]


async def _somebody_waits(connection):
    async def look():
        return await connection.fetchval("select count(*) from pg_locks where not granted")

    await eventually(look)


async def test_more_than_fits_into_one_statement_expires_in_rounds(ledger, at, monkeypatch):
    monkeypatch.setattr("haulier.ledger.retention.EXPIRED_AT_ONCE", 2)
    for n in range(5):
        await finished(ledger, user_id=f"user {n}", key=f"downloads/{n}")
    await at(minutes=61)
    assert len(await expire_artefacts(ledger, storage=None)) == 5


async def test_what_builds_have_is_in_use(ledger, connection):
    owners = {KEY: (uuid4(), 1), "artifacts/other/1/a": (uuid4(), 1)}
    await begun(connection, uuid4(), handle="handle")
    assert await ledger.retention.keys_in_use(owners) == {KEY}
    assert await ledger.retention.uploads_in_use() == {"handle"}


# ---- builds


async def test_a_build_of_a_job_that_is_over_is_swept_when_nobody_touched_it_for_ten_minutes(ledger, connection, at):
    await begun(connection, uuid4(), handle="handle")
    await at(minutes=9)
    assert await ledger.retention.sweep_builds() == []
    await at(minutes=11)
    (left,) = await ledger.retention.sweep_builds()
    assert (left.key, left.handle) == (KEY, "handle")
    assert await count(connection, "builds") == 0


async def test_a_build_that_its_job_will_go_on_with_is_not_swept(ledger, connection, at):
    job = (await ledger.submissions.submit(submission())).job
    await begun(connection, job.id)
    await at(hours=5)
    assert await ledger.retention.sweep_builds() == []


async def test_a_build_that_others_want_waits_for_them_for_a_day(ledger, connection, at):
    await begun(connection, uuid4(), wanted=True)
    await at(hours=23)
    assert await ledger.retention.sweep_builds() == []
    await at(hours=25)
    assert len(await ledger.retention.sweep_builds()) == 1


@pytest.mark.parametrize(("keep_for", "left"), [(HOUR, 1), (timedelta(minutes=1), 0)])
async def test_a_finished_build_is_swept_without_a_job_that_has_its_artefact(ledger, connection, at, keep_for, left):
    job = await finished(ledger, keep_for=keep_for)
    await built(connection, job)
    await at(minutes=11)
    await connection.execute("update jobs set artefact_expired = true where artefact_expires_at < haulier_now()")
    assert await ledger.retention.sweep_builds() == []
    assert await count(connection, "builds") == left


# ---- records


async def test_a_record_is_kept_for_its_retention_after_its_file_has_expired(ledger, at):
    job = await finished(ledger, keep_for=timedelta(days=7))
    await at(days=36)
    await ledger.retention.expire_artefacts()
    assert (await forgotten(ledger)).jobs == 0
    await at(days=38)
    assert (await forgotten(ledger)).jobs == 1
    assert await ledger.jobs.get(job.id) is None


async def test_a_record_whose_object_was_not_given_up_yet_stays(ledger, at):
    await finished(ledger)
    await at(days=40)
    assert (await forgotten(ledger)).jobs == 0


async def test_attempts_go_with_their_job_and_events_stay_as_the_audit_trail(ledger, connection, at):
    await finished(ledger)
    await at(days=40)
    await ledger.retention.expire_artefacts()
    await forgotten(ledger)
    assert [await count(connection, table) for table in ("jobs", "attempts")] == [0, 0]
    assert await count(connection, "job_events") == 4
    await at(days=100)
    await forgotten(ledger)
    assert await count(connection, "job_events") == 1  # the expiry, which was seen late


async def test_a_job_that_is_not_over_is_never_forgotten(ledger, at):
    job = (await ledger.submissions.submit(submission())).job
    await at(days=400)
    await forgotten(ledger)
    assert await ledger.jobs.get(job.id) is not None


async def test_users_without_anything_are_forgotten_and_come_back(ledger, connection, at):
    job = (await ledger.submissions.submit(submission())).job
    await ledger.attempts.cancel(job.id, user_id="anna")
    await at(days=40)
    assert (await forgotten(ledger)).users == 0  # still in line until the dispatcher looks
    await taken(ledger)
    assert (await forgotten(ledger)).users == 1
    again = await ledger.submissions.submit(submission())
    assert again.outcome == "created"


async def test_a_user_who_asks_while_being_forgotten_gets_the_job(ledger, connection, database_url):
    await connection.execute("insert into users (user_id) values ('anna')")
    forgetting = await asyncpg.connect(database_url.reveal())
    async with forgetting.transaction():
        assert await forgetting.fetchval("select forget_users(10)") == "anna"
        asking = asyncio.create_task(ledger.submissions.submit(submission()))
        await _somebody_waits(connection)
    await forgetting.close()
    assert (await asking).outcome == "created"


async def test_old_keys_and_counts_are_forgotten(ledger, connection, at):
    await ledger.submissions.submit(submission(limits=FREE))
    await at(days=3)
    await ledger.retention.sweep()
    assert [await count(connection, table) for table in ("idempotency", "usage")] == [0, 0]


async def test_keys_that_are_being_used_again_are_left_to_the_next_sweep(ledger, connection, database_url, at):
    for key in ("a", "b"):
        await ledger.submissions.submit(submission(key=key))
    await at(days=3)
    using = await asyncpg.connect(database_url.reveal())
    async with using.transaction():
        await using.execute("select from idempotency where key = 'key:a' for update")
        await asyncio.wait_for(ledger.retention.sweep(), 10)
        assert await count(connection, "idempotency") == 1
    await using.close()
    await ledger.retention.sweep()
    assert await count(connection, "idempotency") == 0


async def test_a_chain_of_retries_survives_a_forgotten_ancestor(ledger, at):
    first = await _failed(ledger)
    await at(days=20)
    second = await _failed(ledger, retry_of=first.id)
    await at(days=21)
    third = await _failed(ledger, retry_of=second.id)
    await at(days=40)
    assert (await forgotten(ledger)).jobs == 1
    assert await ledger.jobs.get(first.id) is None
    found = await ledger.dead_letters.latest([first.id, second.id])
    assert {asked: letter.job.id for asked, letter in found.items()} == {second.id: third.id}


async def _failed(ledger, **fields):
    job = (await ledger.submissions.submit(submission(request=Request(file_id=70_001), **fields))).job
    over = await failed(ledger, job)
    assert over.status is Status.FAILED
    return over
