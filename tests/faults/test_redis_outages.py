"""Redis away, stuck, full, empty, old or deaf: requests are accepted, and work goes on by itself when it is back."""

import asyncio
import signal
import time
from contextlib import asynccontextmanager

import pytest

from haulier.tasks import background, repeat
from tests.faults.outages import ANSWER_S, BUSY_AGAIN_S, Load, judged
from tests.faults.preparers import HELD, QUICK, SLOW
from tests.faults.scale import FULL, only_full, scale
from tests.integration.engine_steps import opened

pytestmark = [pytest.mark.xdist_group("fleet"), pytest.mark.timeout(scale(fast=120, full=400))]

AFTER_FLUSH_S = 15
REPAIRED_S = 5
OUTAGE_S = scale(fast=3, full=60)
BEFORE = 8


def accepted_all(oracle, load):
    """Redis is no reason to refuse anybody, to hide a status, or to keep anybody waiting."""
    assert oracle.refused == []
    assert load.untold == 0
    assert not FULL or oracle.slowest_s <= ANSWER_S


async def gone(broken, oracle, note, fault, *, away, back):
    """Running jobs at its start, load through it, and who is busy after it."""
    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    await broken.processing()
    async with Load(oracle, first=QUICK, every_s=OUTAGE_S / 30).running() as load:
        await away()
        await asyncio.sleep(OUTAGE_S)
        await back()
        busy_s = await broken.busy_s()
    accepted_all(oracle, load)
    await judged(broken, oracle, note, fault, recovery_s=busy_s)
    assert not FULL or busy_s <= BUSY_AGAIN_S


async def test_redis_killed_and_gone(broken, oracle, note):
    await gone(
        broken,
        oracle,
        note,
        f"Redis killed, back after {OUTAGE_S} s",
        away=broken.valkey.kill,
        back=broken.valkey.start,
    )


@only_full
async def test_redis_killed_and_back_empty(broken, oracle, note):
    async def back():
        broken.valkey.forget()
        await broken.valkey.start()

    fault = f"Redis killed, back empty after {OUTAGE_S} s"
    await gone(broken, oracle, note, fault, away=broken.valkey.kill, back=back)


@only_full
async def test_redis_behind_a_dead_network(broken, oracle, note):
    async def away():
        broken.redis.blackhole()

    async def back():
        broken.redis.heal()

    await gone(broken, oracle, note, f"Redis unreachable for {OUTAGE_S} s", away=away, back=back)


@only_full
async def test_redis_stopped(broken, oracle, note):
    stopped_s = 12
    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    await broken.processing()
    async with Load(oracle, first=QUICK).running() as load:
        broken.valkey.signal(signal.SIGSTOP)
        await asyncio.sleep(stopped_s)
        broken.valkey.signal(signal.SIGCONT)
        busy_s = await broken.busy_s()
    accepted_all(oracle, load)
    await judged(broken, oracle, note, f"Redis stopped (SIGSTOP) for {stopped_s} s", recovery_s=busy_s)
    assert not FULL or busy_s <= BUSY_AGAIN_S


@only_full
async def test_redis_full(broken, oracle, note):
    full_s = 20
    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    await broken.processing()
    async with Load(oracle, first=QUICK).running() as load, opened(broken.valkey.url) as client:
        await client.config_set("maxmemory", "1mb")
        await asyncio.sleep(full_s)
        await client.config_set("maxmemory", "0")
        busy_s = await broken.busy_s()
    accepted_all(oracle, load)
    await judged(broken, oracle, note, f"Redis full for {full_s} s", recovery_s=busy_s)
    assert not FULL or busy_s <= BUSY_AGAIN_S


async def test_redis_flushed_under_load(broken, oracle, note):
    waiting = scale(fast=20, full=200)
    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    await oracle.submit_many(range(QUICK, QUICK + waiting))
    async with Load(oracle, first=QUICK + waiting).running() as load, opened(broken.valkey.url) as client:
        await broken.processing()
        for _ in range(scale(fast=1, full=5)):
            await client.flushall()
            await asyncio.sleep(0.3)
        began = time.monotonic()
        await broken.over(BEFORE + waiting)
        recovery_s = time.monotonic() - began
    accepted_all(oracle, load)
    await judged(broken, oracle, note, "Redis flushed under load", recovery_s=recovery_s)
    assert not FULL or recovery_s <= AFTER_FLUSH_S


@only_full
async def test_redis_restored_from_an_older_copy(broken, oracle, note):
    """The copy knows jobs that are over as waiting, and does not know those that wait now."""
    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    await broken.processing()
    await broken.valkey.kill()
    broken.copies.keep()
    await broken.valkey.start()
    await broken.over(BEFORE)
    await oracle.submit_many(range(SLOW + BEFORE, SLOW + 2 * BEFORE))
    await broken.processing()
    async with Load(oracle, first=QUICK).running() as load:
        await broken.valkey.kill()
        broken.copies.restore()
        await broken.valkey.start()
        busy_s = await broken.busy_s()
    accepted_all(oracle, load)
    await judged(broken, oracle, note, "Redis restored from an older copy", recovery_s=busy_s)
    assert not FULL or busy_s <= BUSY_AGAIN_S


@asynccontextmanager
async def in_silence(broken):
    """Announcements never arrive, and the connections look well."""
    broken.redis.drop(b"\r\nmessage\r\n")
    yield
    broken.redis.heal()


@asynccontextmanager
async def by_killed_connections(broken):
    """Whoever subscribes is disconnected."""

    async def step() -> float:
        await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        return 0.05

    async with opened(broken.valkey.url) as client, background(repeat(step, name="killing")):
        yield


@pytest.mark.parametrize(
    "lost",
    [in_silence, pytest.param(by_killed_connections, marks=only_full)],
    ids=["in silence", "by killed connections"],
)
async def test_every_announcement_is_lost(broken, oracle, note, lost):
    """Long polls, cancels and hand-overs do without: each looks by itself."""

    async def polled(job_id):
        while (await oracle.call("GET", f"/v1/download/status/{job_id}?wait=30")).json()["status"] != "completed":
            pass

    async with lost(broken):
        polling = asyncio.create_task(polled(await oracle.submit(SLOW)))
        await broken.over(1)
        began = time.monotonic()
        await polling
        repaired_s = time.monotonic() - began
        cancelled = await oracle.submit(HELD)
        await broken.processing()
        assert (await oracle.call("DELETE", f"/v1/download/cancel/{cancelled}")).status_code == 200
        await oracle.submit(QUICK)
        verdict = await oracle.verdict()
    note(f"announcements lost {lost.__name__}".replace("_", " "), [verdict], recovery_s=[repaired_s])
    verdict.assert_clean()
    assert (verdict.completed, verdict.cancelled) == (2, 1)
    assert not FULL or repaired_s <= REPAIRED_S
    broken.assert_nobody_restarted()
