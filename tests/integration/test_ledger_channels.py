"""Channels against a real PostgreSQL: how many there are, and what a job's end queues for them."""

import asyncio

import asyncpg
import msgspec
import pytest

from haulier.ledger import MOST_CHANNELS
from tests.builders import artefact, submission
from tests.integration.channel_steps import channel, completed, job, told
from tests.integration.ledger_steps import batch, claimed, failed
from tests.waiting import eventually

# ---- what a job's end queues


async def test_every_way_a_job_ends_queues_its_event(ledger, connection):
    hears = await channel(ledger)
    done = await completed(ledger)
    lost = await failed(ledger, await job(ledger, key="2"))
    cancelled = await job(ledger, key="3")
    await ledger.attempts.cancel(cancelled.id, user_id="anna")
    assert await told(connection, done.id) == {(hears.id, "job.completed")}
    assert await told(connection, lost.id) == {(hears.id, "job.failed")}
    assert await told(connection, cancelled.id) == {(hears.id, "job.cancelled")}


async def test_an_end_that_is_not_committed_tells_nobody(ledger, connection):
    await channel(ledger)
    undone = await job(ledger)
    ending = connection.transaction()
    await ending.start()
    await connection.execute("select cancel_job($1, 'anna')", undone.id)
    assert len(await told(connection, undone.id)) == 1
    await ending.rollback()
    assert await told(connection, undone.id) == set()


async def test_a_batch_that_is_cancelled_and_a_job_whose_worker_is_lost_are_told(ledger, connection, at):
    hears = await channel(ledger)
    admission = await ledger.batches.submit(batch(2))
    await ledger.batches.cancel(admission.batch_id)
    for each in admission.jobs:
        assert await told(connection, each.id) == {(hears.id, "job.cancelled")}
    lost = await claimed(ledger, await job(ledger, key="lost", max_attempts=1))
    await at(seconds=60)
    await ledger.attempts.end_lost()
    assert await told(connection, lost.job.id) == {(hears.id, "job.failed")}


async def test_only_channels_of_the_user_that_are_on_and_hear_of_it_are_told(ledger, connection):
    hears = await channel(ledger)
    await channel(ledger, events=("job.failed",))
    await channel(ledger, confirmed=False)
    await channel(ledger, every_job=False)
    await channel(ledger, user_id="bob")
    disabled = await channel(ledger)
    await connection.execute("update channels set disabled_at = now() where id = $1", disabled.id)
    done = await completed(ledger)
    assert await told(connection, done.id) == {(hears.id, "job.completed")}


async def test_a_named_channel_is_told_in_the_place_of_those_that_hear_of_every_job(ledger, connection):
    await channel(ledger)
    quiet = await channel(ledger, every_job=False)
    foreign = await channel(ledger, user_id="bob")
    done = await completed(ledger, notify=(quiet.id, foreign.id))
    assert await told(connection, done.id) == {(quiet.id, "job.completed")}
    silent = await completed(ledger, notify=(), key="silent")
    assert await told(connection, silent.id) == set()


@pytest.mark.parametrize("order", [0, 1])
async def test_who_joins_a_living_job_is_told_beside_the_others(ledger, connection, order):
    every, named = await channel(ledger), await channel(ledger, every_job=False)
    wishes = [None, (named.id,)]
    first = await job(ledger, notify=wishes[order])
    second = await ledger.submissions.submit(submission(notify=wishes[1 - order]))
    assert (second.outcome, second.job.id, second.job.version) == ("joined", first.id, first.version)
    await ledger.attempts.complete(await claimed(ledger, first), artefact())
    assert {channel_id for channel_id, _ in await told(connection, first.id)} == {every.id, named.id}


async def test_who_joins_a_completed_job_is_not_told_again(ledger, connection):
    named = await channel(ledger, every_job=False)
    done = await completed(ledger)
    again = await ledger.submissions.submit(submission(notify=(named.id,)))
    assert (again.outcome, again.job.id) == ("joined", done.id)
    assert await told(connection, done.id) == set()


async def test_each_job_of_a_batch_tells_the_named_channels_those_it_joined_too(ledger, connection):
    named = await channel(ledger, every_job=False)
    living = await job(ledger)
    admission = await ledger.batches.submit(batch(2, notify=(named.id,)))
    assert living.id in {each.id for each in admission.jobs}
    await ledger.attempts.cancel(living.id, user_id="anna")
    await ledger.batches.cancel(admission.batch_id)
    for each in admission.jobs:
        assert await told(connection, each.id) == {(named.id, "job.cancelled")}


async def test_a_retry_tells_whom_the_first_one_told(ledger, connection):
    await channel(ledger)
    named = await channel(ledger, every_job=False)
    first = await job(ledger, notify=(named.id,))
    await failed(ledger, first)
    retry = await completed(ledger, retry_of=first.id)
    assert await told(connection, retry.id) == {(named.id, "job.completed")}


async def test_under_a_key_of_its_own_another_choice_of_channels_is_another_request(ledger):
    named = await channel(ledger)
    first = await job(ledger, key="k", notify=(named.id,))
    same = await ledger.submissions.submit(submission(key="k", notify=(named.id,)))
    other = await ledger.submissions.submit(submission(key="k"))
    assert (same.outcome, same.job.id, other.outcome) == ("joined", first.id, "mismatch")


async def test_a_channel_that_is_removed_at_the_same_time_does_not_keep_a_job_from_its_end(
    ledger, connection, database_url
):
    hears = await channel(ledger)
    attempt = await claimed(ledger, await job(ledger))
    remover = await asyncpg.connect(database_url.reveal())
    async with remover.transaction():
        await remover.execute("delete from channels where id = $1", hears.id)
        ending = asyncio.create_task(ledger.attempts.complete(attempt, artefact()))
        await eventually(lambda: connection.fetchval("select count(*) from pg_locks where not granted"))
    await remover.close()
    assert (await ending).status == "completed"


# ---- channels


async def test_a_user_has_so_many_channels_at_most_however_many_are_added_at_once(ledger):
    added = await asyncio.gather(*(channel(ledger) for _ in range(MOST_CHANNELS + 5)))
    assert sum(each is not None for each in added) == MOST_CHANNELS
    assert await channel(ledger, user_id="bob") is not None


async def test_a_change_by_two_at_once_is_kept_once(ledger):
    before = await channel(ledger)
    one = msgspec.structs.replace(before, sealed=b"one")
    assert (await ledger.channels.change(one, before=b"s")).sealed == b"one"
    assert await ledger.channels.change(msgspec.structs.replace(before, sealed=b"two"), before=b"s") is None
