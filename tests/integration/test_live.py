"""Announcements and snapshots on a real Valkey and ledger: followed at once, repaired when lost, never backwards."""

import asyncio

import pytest

from haulier.clock import SYSTEM_CLOCK
from haulier.job import Progress, Status, new_job_id
from haulier.ledger import Beat, open_ledger
from haulier.live import open_announcements, open_live, repair
from haulier.live import snapshots as module
from haulier.settings import Secret
from tests.builders import job, submission
from tests.clocks import HandClock
from tests.integration.ledger_steps import LEASE, claimed
from tests.waiting import eventually


@pytest.fixture
def valkey(valkey_url):
    return Secret(valkey_url)


@pytest.fixture
async def live(settings, ledger):
    async with open_live(settings, ledger=ledger, clock=SYSTEM_CLOCK) as live:
        yield live


@pytest.fixture
def snapshots(live):
    return live.snapshots


@pytest.fixture
async def other(valkey, redis_prefix):
    """Another process's announcements."""
    async with open_announcements(valkey, prefix=redis_prefix) as announcements, announcements.running():
        yield announcements


@pytest.fixture
async def queued(ledger):
    return (await ledger.submissions.submit(submission())).job


async def listening(snapshots):
    async def look():
        return snapshots.announcements.listening

    await eventually(look)


async def test_an_unknown_job_is_none(snapshots):
    assert await snapshots.get(new_job_id()) is None


async def test_a_waiter_hears_of_a_change_in_another_process(snapshots, other, ledger, queued):
    await listening(snapshots)
    waiting = asyncio.create_task(snapshots.wait(queued.id, version=queued.version, timeout_s=30))
    await asyncio.sleep(0)
    attempt = await claimed(ledger, queued)
    other.changed(attempt.job)
    assert (await asyncio.wait_for(waiting, 10)).status is Status.PROCESSING


async def test_a_lost_announcement_is_repaired(snapshots, ledger, queued):
    await listening(snapshots)
    await snapshots.get(queued.id)
    await claimed(ledger, queued)  # nobody announces it
    found = await asyncio.wait_for(snapshots.wait(queued.id, version=queued.version, timeout_s=30), 10)
    assert found.status is Status.PROCESSING


async def test_a_wait_ends_with_its_time(snapshots, queued):
    found = await asyncio.wait_for(snapshots.wait(queued.id, version=queued.version, timeout_s=0.1), 10)
    assert found.version == queued.version


async def test_a_job_that_is_over_is_not_waited_for(snapshots, ledger, queued):
    over = await ledger.attempts.cancel(queued.id, user_id=queued.user_id)
    assert await asyncio.wait_for(snapshots.wait(queued.id, version=over.version, timeout_s=30), 10) == over


async def test_a_late_announcement_does_not_turn_back_time(snapshots, ledger, queued):
    attempt = await claimed(ledger, queued)
    owned = await ledger.attempts.beat([Beat(attempt, Progress("x", 5, 10, 50))], lease=LEASE)
    snapshots.remember(owned[queued.id])
    snapshots._follow(queued)
    assert (await snapshots.get(queued.id)).version == owned[queued.id].version


async def test_readers_share_one_look_at_the_ledger(snapshots, queued, ledger, monkeypatch):
    looks = 0
    get = ledger.jobs.get

    async def counted(job_id):
        nonlocal looks
        looks += 1
        return await get(job_id)

    monkeypatch.setattr(ledger.jobs, "get", counted)
    found = await asyncio.gather(*(snapshots.get(queued.id) for _ in range(50)))
    assert {each.version for each in found} == {queued.version}
    assert looks == 1


async def test_a_read_that_nobody_waits_for_ends_with_the_process(settings, ledger, monkeypatch):
    began, ended = asyncio.Event(), asyncio.Event()

    async def hung(_):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(ledger.jobs, "get", hung)
    async with open_live(settings, ledger=ledger, clock=SYSTEM_CLOCK) as live:
        reader = asyncio.create_task(live.snapshots.get(new_job_id()))
        await began.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    assert ended.is_set()


async def test_an_unchanged_job_costs_its_readers_no_look_at_the_ledger(settings, queued, ledger, monkeypatch):
    monkeypatch.setattr(repair, "REPAIR_S", 0.02)
    clock = HandClock()

    async def none(_):
        raise AssertionError("somebody looked by himself")

    async with open_live(settings, ledger=ledger, clock=clock) as live:
        snapshots = live.snapshots
        await listening(snapshots)
        await snapshots.get(queued.id)
        monkeypatch.setattr(ledger.jobs, "get", none)
        for _ in range(3):
            clock.passed_s += module.FRESH_S - 1
            await eventually(lambda: snapshots._entries[queued.id].seen_at == clock.passed_s)
            assert (await snapshots.get(queued.id)).version == queued.version


async def test_nothing_older_than_what_the_client_has_seen_elsewhere(snapshots, ledger, queued):
    await snapshots.get(queued.id)
    attempt = await claimed(ledger, queued)  # another process told the client of it
    assert (await snapshots.at_least(queued.id, version=attempt.job.version)).version == attempt.job.version


async def test_without_the_ledger_the_last_announced_state_answers(settings, other, monkeypatch):
    monkeypatch.setattr(module, "KEPT_ANSWER_S", 10)
    async with open_ledger(Secret("postgresql://nobody@127.0.0.1:1/none")) as away:
        known = job(version=7)
        other.changed(known)
        async with open_live(settings, ledger=away, clock=SYSTEM_CLOCK) as live:
            snapshots = live.snapshots

            async def kept():
                return await snapshots.announcements.kept(known.id)

            await eventually(kept)
            assert (await snapshots.get(known.id)).version == 7


async def test_a_cancel_and_a_nudge_reach_other_processes(valkey, redis_prefix, other):
    heard = asyncio.Queue()
    async with open_announcements(valkey, prefix=redis_prefix) as mine:
        mine.on_cancel(heard.put_nowait)
        mine.on_nudge(lambda: heard.put_nowait("nudge"))
        async with mine.running():

            async def subscribed():
                return mine.listening

            await eventually(subscribed)
            job_id = new_job_id()
            other.cancelled(job_id)
            other.nudge()
            assert {await asyncio.wait_for(heard.get(), 10), await asyncio.wait_for(heard.get(), 10)} == {
                job_id,
                "nudge",
            }


async def test_sending_never_raises_when_redis_is_away():
    async with open_announcements(Secret("redis://127.0.0.1:1/0"), prefix="{away}") as away, away.running():
        away.changed(job())
        away.nudge()
        await away.flush()
