"""Who loses a lease writes nothing any more; who kills workers does not take others along."""

import signal
import time

import pytest

from tests.faults.fleet import DEFAULT_LEASE_S, LEASE_S, fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import BIG, POISON, QUICK, SLOW
from tests.faults.scale import only_full, scale
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(scale(fast=180, full=1_200))


async def noticed(worker, *, attempts):
    """Wait until the worker has noticed that it lost this many attempts."""
    await eventually(lambda: worker.log.read_text().count('"attempt_lost"') >= attempts, within_s=40)


async def rescued(house, jobs, victim):
    """Wait until each job of the dead worker runs elsewhere, or is over."""
    waiting = (
        "select count(*) from jobs where id = any($1::uuid[])"
        " and (status = 'queued' or status = 'processing' and worker like $2)"
    )
    async with house.connection() as connection:

        async def none_waits():
            return not await connection.fetchval(waiting, jobs, f"%:{victim.pid}:%")

        await eventually(none_waits, within_s=60)


async def test_a_zombie_writes_nothing_visible(tmp_path, note):
    verdicts = []
    async with fleet(tmp_path / "home", workers=0) as house:
        for round_ in range(scale(fast=1, full=10)):
            zombie = await house.start_worker(at=["part_sent=delay:2"])
            await house.manned()
            async with Oracle(house) as oracle:
                jobs = await oracle.submit_many([BIG + round_ * 10 + n for n in range(3)], users=1)
                for job_id in jobs:
                    await oracle.until(job_id, "processing", user="user 0")
                zombie.send(signal.SIGSTOP)
                rescuer = await house.start_worker()
                for job_id in jobs:
                    await oracle.until(job_id, "completed", user="user 0")
                zombie.send(signal.SIGCONT)
                await noticed(zombie, attempts=len(jobs))
                verdict = await oracle.verdict()
                verdicts.append(verdict)
                verdict.assert_clean()
                assert verdict.completed == len(jobs)
                await oracle.assert_swept()
            await zombie.terminate()
            await rescuer.terminate()
    note("zombie worker (SIGSTOP past its lease, SIGCONT)", verdicts)


async def test_a_poisonous_job_fails_and_its_neighbours_complete(tmp_path, note):
    neighbours = scale(fast=2, full=6)
    async with fleet(tmp_path / "home", workers=0) as house, Oracle(house) as oracle:
        poison = await oracle.submit(POISON, user="poisoner")
        del oracle.accepted[poison]
        await oracle.submit_many([SLOW + n for n in range(neighbours)], users=neighbours)
        began, deaths = time.monotonic(), 0
        worker = await house.start_worker(slots=8)

        async def poison_is_over() -> object:
            nonlocal worker, deaths
            if not worker.alive:
                deaths += 1
                worker = await house.start_worker(slots=8)
            seen = await oracle.status(poison, user="poisoner")
            return seen["status"] == "failed" and seen

        failed = await eventually(poison_is_over, within_s=100)
        verdict = await oracle.verdict()
        recovery_s = time.monotonic() - began
    assert failed["error"]["code"] == "worker_lost"
    assert deaths == 3
    verdict.assert_clean()
    assert verdict.completed == neighbours
    note("poisonous job kills its process three times", [verdict], remark=f"all over after {recovery_s:.0f} s")


@only_full
async def test_a_killed_workers_jobs_are_back_soon(tmp_path, note):
    verdicts, recoveries = [], []
    async with fleet(tmp_path / "home", workers=2, slots=3) as house:
        for round_ in range(20):
            async with Oracle(house) as oracle:
                jobs = await oracle.submit_many([SLOW + round_ * 10 + n for n in range(6)], users=1)
                for job_id in jobs:
                    await oracle.until(job_id, "processing", user="user 0")
                victim = house.workers.pop(0)
                victim.kill()
                began = time.monotonic()
                await rescued(house, jobs, victim)
                recoveries.append(time.monotonic() - began)
                await house.start_worker(slots=3)
                verdict = await oracle.verdict()
                verdicts.append(verdict)
                verdict.assert_clean()
                assert verdict.completed == 6
    note(f"worker killed (lease {LEASE_S} s)", verdicts, recovery_s=recoveries)
    assert max(recoveries) <= LEASE_S + 5


@only_full
async def test_the_default_lease_recovers_within_lease_and_five_seconds(tmp_path, note):
    async with fleet(tmp_path / "home", workers=0) as house, Oracle(house) as oracle:
        house.env["HAULIER_LEASE_S"] = DEFAULT_LEASE_S
        victim = await house.start_worker()
        await house.manned()
        jobs = await oracle.submit_many([SLOW + n for n in range(4)], users=1)
        for job_id in jobs:
            await oracle.until(job_id, "processing", user="user 0")
        await house.start_worker()
        victim.kill()
        began = time.monotonic()
        await rescued(house, jobs, victim)
        recovery_s = time.monotonic() - began
        verdict = await oracle.verdict()
    verdict.assert_clean()
    note("worker killed (lease 15 s, the default)", [verdict], recovery_s=[recovery_s])
    assert recovery_s <= 20


@only_full
async def test_all_of_redis_lost_under_load(tmp_path, note):
    verdicts, recoveries = [], []
    async with fleet(tmp_path / "home", workers=1, slots=2) as house, house.redis() as redis:
        for round_ in range(20):
            async with Oracle(house) as oracle:
                await oracle.submit_many([QUICK + round_ * 100 + n for n in range(40)])
                await redis.flushall()
                began = time.monotonic()
                await oracle.submit_many([QUICK + round_ * 100 + 50 + n for n in range(10)])
                verdict = await oracle.verdict()
                recoveries.append(time.monotonic() - began)
                verdicts.append(verdict)
                verdict.assert_clean()
                assert verdict.completed == 50
    note("FLUSHALL under load", verdicts, recovery_s=recoveries)
    assert max(recoveries) <= 15
