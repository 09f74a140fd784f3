"""The outbox against a real PostgreSQL: in what turn deliveries are taken, and what holds up nobody else's."""

import asyncio
import json
from collections import deque
from datetime import timedelta

import pytest

from tests.integration.channel_steps import channel, claim, completed, finish, queue_tests


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


@pytest.fixture
async def fine(ledger, connection):
    """A channel that does not fail, with something due behind that of 30 that do."""
    for n in range(30):
        await queue_tests(ledger, await channel(ledger, user_id=f"failing {n}"), 1)
    await connection.execute("update channels set failing_since = haulier_now()")
    fine = await channel(ledger, user_id="bob")
    await queue_tests(ledger, fine, 1)
    return fine


async def test_channels_that_fail_get_no_more_than_their_part_together(ledger, fine):
    found = [each.channel.id for each in await claim(ledger, 8, failing=3)]
    assert (len(found), fine.id in found) == (4, True)
    assert await claim(ledger, 8, failing=0) == []


async def test_many_channels_that_fail_do_not_hide_one_that_does_not(ledger, fine):
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
