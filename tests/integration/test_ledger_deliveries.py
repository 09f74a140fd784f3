"""The outbox against a real PostgreSQL: how deliveries end; see test_ledger_claiming.py for how they are taken."""

from datetime import timedelta

import msgspec
import pytest

from tests.integration.channel_steps import channel, claim, completed, finish, queue_tests


async def last_reasons(ledger, channel):
    """Why each of the channel's deliveries that failed did."""
    failed = await ledger.deliveries.page(channel.id, status="failed", limit=20)
    tries = await ledger.deliveries.attempts([each.id for each in failed])
    return [each[-1].reason for each in tries.values()]


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
    reasons = await last_reasons(ledger, gone)
    assert sorted(reasons) == ["it answered 410", *["not sent: the channel was disabled"] * 2]
    enabled = await ledger.channels.enable(gone.id, user_id="anna")
    assert (enabled.disabled_at, enabled.failing_since) == (None, None)


async def test_what_was_being_sent_when_its_channel_was_disabled_is_not_tried_again(ledger):
    gone = await channel(ledger)
    await queue_tests(ledger, gone, 2)
    first, second = await claim(ledger)
    await finish(ledger, first, "failed", reason="it answered 410", disable=True)
    assert await finish(ledger, second, "again", wait=timedelta(hours=1), reason="it answered 500") == (True, False)
    assert sorted(await last_reasons(ledger, gone)) == ["it answered 410", "not sent: the channel was disabled"]


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
    assert sorted(await last_reasons(ledger, gone)) == ["it answered 410", "not sent: the channel was disabled"]


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


@pytest.mark.parametrize(("elsewhere", "found"), [(True, 1), (False, 0)])
async def test_another_receiver_has_asked_for_no_pause(ledger, elsewhere, found):
    hooked = await channel(ledger)
    await queue_tests(ledger, hooked, 1)
    (sent,) = await claim(ledger)
    await finish(ledger, sent, "failed", pause=timedelta(days=1), reason="it answered 429")
    before = await ledger.channels.get(hooked.id, user_id="anna")
    changed = msgspec.structs.replace(before, sealed=b"elsewhere")
    assert await ledger.channels.change(changed, before=before.sealed, elsewhere=elsewhere)
    await completed(ledger)
    assert len(await claim(ledger)) == found


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
