"""Channels and the outbox against a real PostgreSQL: what a job's end queues, in what turn it is taken, how it ends."""

import asyncio
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from haulier.job import Failure, new_job_id
from haulier.ledger import MOST_CHANNELS, ChannelDraft, Finished
from tests.builders import artefact, submission
from tests.integration.ledger_steps import batch, claimed
from tests.waiting import eventually

LEASE = timedelta(seconds=60)
DAYS = timedelta(days=5)
ALL = ("job.completed", "job.failed", "job.cancelled")


async def channel(ledger, user_id="anna", **fields):
    """A channel that hears of everything."""
    known = {"kind": "webhook", "label": "", "target": "t", "sealed": b"s", "events": ALL, "every_job": True}
    return await ledger.channels.add(ChannelDraft(id=new_job_id(), user_id=user_id, **known | fields))


async def job(ledger, **fields):
    return (await ledger.submissions.submit(submission(**fields))).job


async def completed(ledger, **fields):
    return await ledger.attempts.complete(await claimed(ledger, await job(ledger, **fields)), artefact())


async def told(connection, job_id):
    """The channels that hear of a job's end, with the event."""
    rows = await connection.fetch("select channel_id, event from deliveries where job_id = $1", job_id)
    return {(row["channel_id"], row["event"]) for row in rows}


async def claim(ledger, most=50, *, of_channel=4, of_user=8, kinds=("webhook",)):
    return await ledger.deliveries.claim(most=most, lease=LEASE, kinds=kinds, of_channel=of_channel, of_user=of_user)


async def finish(ledger, found, outcome="delivered", **fields):
    return await ledger.deliveries.finish(found.delivery, Finished(outcome=outcome, **fields), failing_for=DAYS)


async def queue_tests(ledger, channel, count):
    """`count` deliveries due now."""
    for _ in range(count):
        await ledger.deliveries.queue_test(new_job_id(), channel_id=channel.id, user_id=channel.user_id)


# ---- what a job's end queues


async def test_every_way_a_job_ends_queues_its_event(ledger, connection):
    hears = await channel(ledger)
    done = await completed(ledger)
    failed = await ledger.attempts.fail(
        await claimed(ledger, await job(ledger, key="2")), Failure("source_missing", "There is none.")
    )
    cancelled = await job(ledger, key="3")
    await ledger.attempts.cancel(cancelled.id, user_id="anna")
    assert await told(connection, done.id) == {(hears.id, "job.completed")}
    assert await told(connection, failed.id) == {(hears.id, "job.failed")}
    assert await told(connection, cancelled.id) == {(hears.id, "job.cancelled")}


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
    await ledger.attempts.fail(await claimed(ledger, first), Failure("source_missing", "There is none."))
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


# ---- taking


async def test_a_claimed_delivery_has_its_channel_and_job_and_is_nobody_elses(ledger):
    hears, done = await channel(ledger), await completed(ledger)
    (found,) = await claim(ledger)
    assert (found.channel.id, found.job.id, found.delivery.job_version) == (hears.id, done.id, done.version)
    assert (found.delivery.attempts, found.delivery.tries) == (1, 1)
    assert await claim(ledger) == []


async def test_two_who_claim_at_once_never_get_the_same(ledger):
    for n in range(5):
        await queue_tests(ledger, await channel(ledger, user_id=f"user {n}"), 6)
    found = [each for claims in await asyncio.gather(*(claim(ledger) for _ in range(4))) for each in claims]
    ids = [each.delivery.id for each in found]
    assert len(ids) == len(set(ids)) > 0


async def test_no_channel_and_no_user_takes_more_than_its_part(ledger):
    first, second = await channel(ledger), await channel(ledger)
    for each in (first, second):
        await queue_tests(ledger, each, 10)
    other = await channel(ledger, user_id="bob")
    await queue_tests(ledger, other, 3)
    found = [each.channel.id for each in await claim(ledger, of_channel=4, of_user=6)]
    assert (found.count(first.id) + found.count(second.id), found.count(other.id)) == (6, 3)
    assert max(found.count(first.id), found.count(second.id)) <= 4
    assert await claim(ledger, of_channel=4, of_user=6) == []


async def test_users_take_turns_when_there_is_little_room(ledger):
    greedy, modest = await channel(ledger), await channel(ledger, user_id="bob")
    await queue_tests(ledger, greedy, 10)
    await queue_tests(ledger, modest, 1)
    assert {each.channel.id for each in await claim(ledger, 2)} == {greedy.id, modest.id}


async def test_a_failing_channel_is_tried_with_one_at_a_time(ledger):
    failing = await channel(ledger)
    await queue_tests(ledger, failing, 5)
    found = await claim(ledger)
    assert len(found) == 4
    for each in found:
        await finish(ledger, each, "again", wait=timedelta(hours=1))
    assert len(await claim(ledger)) == 1


async def test_other_kinds_and_what_is_not_due_yet_are_left(ledger, at):
    await queue_tests(ledger, await channel(ledger), 1)
    assert await claim(ledger, kinds=("email",)) == []
    (found,) = await claim(ledger)
    await finish(ledger, found, "again", wait=timedelta(minutes=5), reason="it answered 500", answer=500)
    await at(minutes=4)
    assert await claim(ledger) == []
    await at(minutes=6)
    assert [each.delivery.attempts for each in await claim(ledger)] == [2]


# ---- ending


async def test_attempts_are_logged_and_a_late_end_changes_nothing(ledger):
    await queue_tests(ledger, await channel(ledger), 1)
    (found,) = await claim(ledger)
    assert await finish(ledger, found, answer=204, duration=timedelta(milliseconds=12)) == (True, False)
    assert await finish(ledger, found, "failed", reason="late") == (False, False)
    (attempt,) = (await ledger.deliveries.attempts([found.delivery.id]))[found.delivery.id]
    assert (attempt.number, attempt.outcome, attempt.answer, attempt.duration_ms) == (1, "delivered", 204, 12)


@pytest.mark.parametrize(("repeatable", "status"), [(["webhook"], "pending"), ([], "unknown")])
async def test_what_a_lost_worker_was_sending_is_sent_again_or_unknown(ledger, at, repeatable, status):
    hears = await channel(ledger)
    await queue_tests(ledger, hears, 1)
    (found,) = await claim(ledger)
    assert await ledger.deliveries.take_back(kinds=["webhook"], repeatable=repeatable, most=10) == 0
    await at(seconds=61)
    assert await ledger.deliveries.take_back(kinds=["webhook"], repeatable=repeatable, most=10) == 1
    (delivery,) = await ledger.deliveries.page(hears.id, status=None, limit=5)
    assert delivery.status == status
    assert await finish(ledger, found) == (False, False)


async def test_a_channel_that_is_gone_is_disabled_with_all_that_waits_for_it(ledger):
    gone = await channel(ledger)
    await queue_tests(ledger, gone, 3)
    found = await claim(ledger, 1)
    assert await finish(ledger, found[0], "failed", reason="it answered 410", answer=410, disable=True) == (True, True)
    after = await ledger.channels.get(gone.id, user_id="anna")
    assert (after.disabled_reason, after.is_on) == ("it answered 410", False)
    assert len(await ledger.deliveries.page(gone.id, status="failed", limit=5)) == 3
    enabled = await ledger.channels.enable(gone.id, user_id="anna")
    assert (enabled.is_on, enabled.failing_since) == (True, None)


async def test_a_channel_to_which_nothing_was_delivered_for_five_days_is_disabled(ledger, at):
    failing = await channel(ledger)
    await queue_tests(ledger, failing, 1)
    (found,) = await claim(ledger)
    assert await finish(ledger, found, "failed", reason="it answered 500") == (True, False)
    await at(days=6)
    await queue_tests(ledger, failing, 1)
    (found,) = await claim(ledger)
    assert await finish(ledger, found, "failed", reason="it answered 500") == (True, True)
    after = await ledger.channels.get(failing.id, user_id="anna")
    assert after.disabled_reason == "nothing could be delivered for 5 days; the last reason: it answered 500"


async def test_one_delivered_message_ends_a_failing_time(ledger, at):
    failing = await channel(ledger)
    await queue_tests(ledger, failing, 2)
    (found, *_) = await claim(ledger)
    await finish(ledger, found, "failed", reason="x")
    assert (await ledger.channels.get(failing.id, user_id="anna")).failing_since is not None
    await at(minutes=2)
    await ledger.deliveries.take_back(kinds=["webhook"], repeatable=["webhook"], most=10)
    (found,) = await claim(ledger)
    await finish(ledger, found)
    assert (await ledger.channels.get(failing.id, user_id="anna")).failing_since is None


async def test_a_redelivery_is_the_same_delivery_with_all_its_attempts_before_it(ledger):
    await queue_tests(ledger, await channel(ledger), 1)
    (found,) = await claim(ledger)
    assert await ledger.deliveries.redeliver(found.delivery.id) is None
    await finish(ledger, found, "failed", reason="x")
    again = await ledger.deliveries.redeliver(found.delivery.id)
    assert (again.id, again.status, again.tries) == (found.delivery.id, "pending", 0)
    (found,) = await claim(ledger)
    assert (found.delivery.attempts, found.delivery.tries) == (2, 1)


async def test_deliveries_are_forgotten_with_their_job_or_after_their_time(ledger, connection, at):
    hears = await channel(ledger)
    await queue_tests(ledger, hears, 1)
    await completed(ledger)
    for found in await claim(ledger):
        await finish(ledger, found)
    await at(days=40)
    await ledger.retention.expire_artefacts()
    await ledger.retention.forget(jobs_after=timedelta(days=30), events_after=timedelta(days=90))
    assert await connection.fetchval("select count(*) from deliveries") == 0
    assert await connection.fetchval("select count(*) from delivery_attempts") == 0
    assert await ledger.channels.get(hears.id, user_id="anna") is not None


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
