"""The outbox against a real PostgreSQL: in what turn deliveries are taken, and how they end."""

import asyncio
import json
from collections import deque
from datetime import timedelta

import pytest

from tests.integration.channel_steps import channel, claim, completed, finish, queue_tests

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


async def test_users_who_fill_all_room_with_many_channels_delay_another_by_no_more_than_a_turn(ledger):
    for n in range(2):
        for _ in range(10):
            await queue_tests(ledger, await channel(ledger, user_id=f"busy {n}"), 4)
    sending = deque([each for _ in range(4) for each in await claim(ledger, 4)])
    assert len(sending) == 16
    modest = await channel(ledger, user_id="bob")
    await queue_tests(ledger, modest, 1)
    await finish(ledger, sending.popleft())
    assert [each.channel.id for each in await claim(ledger, 1)] == [modest.id]


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


async def test_channels_that_fail_get_no_more_than_their_part_together(ledger, connection):
    for n in range(30):
        await queue_tests(ledger, await channel(ledger, user_id=f"failing {n}"), 1)
    await connection.execute("update channels set failing_since = haulier_now()")
    fine = await channel(ledger, user_id="bob")
    await queue_tests(ledger, fine, 1)
    found = [each.channel.id for each in await claim(ledger, 8, failing=3)]
    assert (len(found), fine.id in found) == (4, True)
    assert await claim(ledger, 8, failing=0) == []


async def test_many_channels_that_fail_do_not_hide_one_that_does_not(ledger, connection):
    for n in range(30):
        await queue_tests(ledger, await channel(ledger, user_id=f"failing {n}"), 1)
    await connection.execute("update channels set failing_since = haulier_now()")
    fine = await channel(ledger, user_id="bob")
    await queue_tests(ledger, fine, 1)
    assert fine.id in {each.channel.id for each in await claim(ledger, 2, failing=1)}


async def test_what_waits_for_a_kind_that_nobody_sends_makes_no_look_slower(ledger, connection):
    await queue_tests(ledger, await channel(ledger), 1)
    await connection.execute(
        """insert into channels (id, user_id, kind, target, sealed, events, created_at, updated_at)
        select gen_random_uuid(), 'u' || n, 'email', 't', 's', '{job.completed}', now(), now()
        from generate_series(1, 2000) n"""
    )
    await connection.execute(
        """insert into deliveries (id, channel_id, event, at, due_at)
        select gen_random_uuid(), id, 'test', now(), now() from channels where kind = 'email'"""
    )
    await connection.execute("vacuum analyze deliveries, channels")
    look = "select * from claim_deliveries(50, interval '75 s', array['webhook'], 4, 8, 25)"
    plan = json.loads(await connection.fetchval(f"explain (analyze, buffers, format json) {look}"))[0]["Plan"]
    assert plan["Actual Rows"] == 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1_500


async def test_what_workers_that_are_gone_were_sending_takes_nobodys_room(ledger, at):
    lost = [await channel(ledger, kind="email") for _ in range(2)]
    hook = await channel(ledger)
    for each in lost:
        await queue_tests(ledger, each, 4)
    assert len(await claim(ledger, kinds=("email",))) == 8
    await queue_tests(ledger, hook, 3)
    assert await claim(ledger) == []
    await at(seconds=61)
    assert len(await claim(ledger)) == 3


async def test_what_was_being_sent_of_a_kind_that_is_off_now_ends_as_any_other(ledger, at):
    lost = await channel(ledger, kind="email")
    await queue_tests(ledger, lost, 1)
    await claim(ledger, kinds=("email",))
    await at(seconds=61)
    assert await ledger.deliveries.take_back(repeatable=["webhook"], most=10) == 1
    assert len(await ledger.deliveries.page(lost.id, status="unknown", limit=5)) == 1


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
    assert await ledger.deliveries.take_back(repeatable=repeatable, most=10) == 0
    await at(seconds=61)
    assert await ledger.deliveries.take_back(repeatable=repeatable, most=10) == 1
    (delivery,) = await ledger.deliveries.page(hears.id, status=None, limit=5)
    assert delivery.status == status
    assert await finish(ledger, found) == (False, False)


async def test_a_channel_that_is_gone_is_disabled_with_all_that_waits_for_it(ledger):
    gone = await channel(ledger)
    await queue_tests(ledger, gone, 3)
    found = await claim(ledger, 1)
    assert await finish(ledger, found[0], "failed", reason="it answered 410", answer=410, disable=True) == (True, True)
    after = await ledger.channels.get(gone.id, user_id="anna")
    assert (after.disabled_reason, after.disabled_at is None) == ("it answered 410", False)
    assert len(await ledger.deliveries.page(gone.id, status="failed", limit=5)) == 3
    enabled = await ledger.channels.enable(gone.id, user_id="anna")
    assert (enabled.disabled_at, enabled.failing_since) == (None, None)


async def test_what_was_being_sent_when_its_channel_was_disabled_is_not_tried_again(ledger):
    gone = await channel(ledger)
    await queue_tests(ledger, gone, 2)
    first, second = await claim(ledger)
    await finish(ledger, first, "failed", reason="it answered 410", disable=True)
    assert await finish(ledger, second, "again", wait=timedelta(hours=1)) == (True, False)
    assert len(await ledger.deliveries.page(gone.id, status="failed", limit=5)) == 2


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


@pytest.mark.parametrize("outcome", ["again", "failed"])
async def test_a_failure_of_ours_is_not_held_against_a_channel(ledger, at, outcome):
    fine = await channel(ledger)
    for days in (0, 6):
        await at(days=days)
        await queue_tests(ledger, fine, 1)
        for found in await claim(ledger):
            assert await finish(ledger, found, outcome, reason="our server is away", counts=False) == (True, False)
    after = await ledger.channels.get(fine.id, user_id="anna")
    assert (after.failing_since, after.disabled_at) == (None, None)


async def test_one_delivered_message_ends_a_failing_time(ledger, at):
    failing = await channel(ledger)
    await queue_tests(ledger, failing, 2)
    (found, *_) = await claim(ledger)
    await finish(ledger, found, "failed", reason="x")
    assert (await ledger.channels.get(failing.id, user_id="anna")).failing_since is not None
    await at(minutes=2)
    await ledger.deliveries.take_back(repeatable=["webhook"], most=10)
    (found,) = await claim(ledger)
    await finish(ledger, found)
    assert (await ledger.channels.get(failing.id, user_id="anna")).failing_since is None


async def test_what_is_handed_back_has_not_been_tried_and_its_number_is_never_used_again(ledger, at):
    hears = await channel(ledger)
    await queue_tests(ledger, hears, 1)
    (found,) = await claim(ledger)
    assert await ledger.deliveries.hand_back(found.delivery, wait=timedelta(seconds=3))
    assert await claim(ledger) == []
    await at(seconds=4)
    (again,) = await claim(ledger)
    assert (again.delivery.attempts, again.delivery.tries) == (2, 1)
    assert not await ledger.deliveries.hand_back(found.delivery)
    assert await finish(ledger, found) == (False, False)
    assert (await ledger.deliveries.attempts([found.delivery.id]))[found.delivery.id] == []
    assert (await ledger.channels.get(hears.id, user_id="anna")).failing_since is None


async def test_what_is_handed_back_to_a_channel_that_is_off_fails(ledger):
    gone = await channel(ledger)
    await queue_tests(ledger, gone, 2)
    first, second = await claim(ledger)
    await finish(ledger, first, "failed", reason="it answered 410", disable=True)
    assert await ledger.deliveries.hand_back(second.delivery)
    assert len(await ledger.deliveries.page(gone.id, status="failed", limit=5)) == 2


async def test_a_receiver_that_wants_a_pause_is_left_alone_by_all_that_waits_or_comes(ledger, at):
    tired, other = await channel(ledger), await channel(ledger, user_id="bob")
    await queue_tests(ledger, tired, 10)
    hour = timedelta(hours=1)
    for found in await claim(ledger, 2):
        await finish(ledger, found, "again", wait=hour, pause=hour, reason="it answered 429", answer=429)
    await completed(ledger)
    await queue_tests(ledger, other, 1)
    assert [each.channel.id for each in await claim(ledger)] == [other.id]
    (waits, *_) = await ledger.deliveries.page(tired.id, status="pending", limit=1)
    assert waits.due_at > waits.at + timedelta(minutes=59)
    await at(minutes=61)
    assert [each.channel.id for each in await claim(ledger)] == [tired.id]


async def test_a_shorter_pause_does_not_end_a_longer_one(ledger, at):
    tired = await channel(ledger)
    await queue_tests(ledger, tired, 3)
    for found, minutes in zip(await claim(ledger, 2), (60, 5), strict=True):
        await finish(ledger, found, "again", wait=timedelta(), pause=timedelta(minutes=minutes), reason="busy")
    await at(minutes=6)
    assert await claim(ledger) == []


@pytest.mark.parametrize("by", ["test", "redeliver", "enable"])
async def test_what_its_owner_asks_for_is_sent_whatever_pause_the_receiver_wanted(ledger, by):
    tired = await channel(ledger)
    await queue_tests(ledger, tired, 1)
    (found,) = await claim(ledger)
    day = timedelta(days=1)
    await finish(ledger, found, "failed", pause=day, reason="it answered 429")
    await completed(ledger)
    assert await claim(ledger) == []
    if by == "test":
        await queue_tests(ledger, tired, 1)
    elif by == "redeliver":
        await ledger.deliveries.redeliver(found.delivery.id)
    else:
        await ledger.channels.enable(tired.id, user_id="anna")
    assert await claim(ledger) != []


async def test_a_redelivery_is_the_same_delivery_with_all_its_attempts_before_it(ledger):
    await queue_tests(ledger, await channel(ledger), 1)
    (found,) = await claim(ledger)
    assert await ledger.deliveries.redeliver(found.delivery.id) is None
    await finish(ledger, found, "failed", reason="x")
    again = await ledger.deliveries.redeliver(found.delivery.id)
    assert (again.id, again.status, again.tries) == (found.delivery.id, "pending", 0)
    (found,) = await claim(ledger)
    assert (found.delivery.attempts, found.delivery.tries) == (2, 1)


async def test_a_job_is_not_forgotten_while_it_is_still_to_be_told_of_for_ten_days_at_most(ledger, at):
    await channel(ledger)
    done = await completed(ledger)
    short = {"jobs_after": timedelta(hours=1), "events_after": timedelta(hours=1)}
    await at(days=9, hours=20)
    await ledger.retention.expire_artefacts()
    assert (await ledger.retention.forget(**short)).jobs == 0
    (found,) = await claim(ledger)
    assert found.job.id == done.id
    await at(days=10, hours=1)
    assert (await ledger.retention.forget(**short)).jobs == 1


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
