"""kill -9 at each failpoint: whatever the process was doing, nothing accepted is lost and no file is wrong."""

import time

import pytest

from haulier.failpoints import Point
from tests.faults.fleet import LEASE_S, fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import BIG, QUICK
from tests.faults.scale import FULL, scale

pytestmark = [pytest.mark.xdist_group("fleet"), pytest.mark.timeout(scale(fast=120, full=1_200))]

ROUNDS = scale(fast=1, full=20)
JOBS = 6
IN_API = (Point.SUBMITTED, Point.MARKED, Point.HANDED_OVER)
IN_WORKER = (Point.CLAIMED, Point.PART_SENT, Point.STORED, Point.COMMITTED)


@pytest.mark.parametrize("point", IN_WORKER)
async def test_a_worker_killed_at_a_point_loses_nothing(tmp_path, note, point):
    verdicts, recoveries = [], []
    async with fleet(tmp_path / "home", workers=0) as house:
        for round_ in range(ROUNDS):
            victim = await house.start_worker(at=[f"{point}=kill:2"])
            await house.manned()
            async with Oracle(house) as oracle:
                await oracle.submit_many(BIG + round_ * JOBS + n for n in range(JOBS))
                await victim.ended()
                began = time.monotonic()
                rescuer = await house.start_worker()
                verdict = await oracle.verdict()
                recoveries.append(time.monotonic() - began)
                verdicts.append(verdict)
                verdict.assert_clean()
                assert verdict.completed == JOBS
            await rescuer.terminate()
    note(f"worker killed: {point}", verdicts, recovery_s=recoveries)
    assert not FULL or max(recoveries) <= LEASE_S + 5


@pytest.mark.parametrize("point", IN_API)
async def test_an_api_killed_at_a_point_loses_nothing(tmp_path, note, point):
    verdicts, recoveries = [], []
    async with fleet(tmp_path / "home", workers=1, apis=1) as house:
        for round_ in range(ROUNDS):
            await house.start_api(at=[f"{point}=kill:2"])
            house.apis.reverse()
            async with Oracle(house) as oracle:
                await oracle.submit_many(QUICK + round_ * JOBS + n for n in range(JOBS))
                victim = house.apis.pop(0)
                await victim.ended()
                began = time.monotonic()
                verdict = await oracle.verdict()
                recoveries.append(time.monotonic() - began)
                verdicts.append(verdict)
                verdict.assert_clean()
                assert verdict.completed == JOBS
    note(f"API killed: {point}", verdicts, recovery_s=recoveries)


@pytest.mark.parametrize("point", [Point.MARKED, Point.HANDED_OVER])
async def test_a_dispatcher_killed_half_way_loses_nothing(tmp_path, note, point):
    verdicts = []
    async with fleet(tmp_path / "home", workers=0) as house:
        for round_ in range(ROUNDS):
            async with house.connection() as connection:
                await connection.execute("delete from workers")  # or the API would hand the jobs over itself
            async with Oracle(house) as oracle:
                await oracle.submit_many(QUICK + round_ * JOBS + n for n in range(JOBS))
                victim = await house.start_worker(at=[f"{point}=kill:1"])
                await victim.ended()
                rescuer = await house.start_worker()
                verdict = await oracle.verdict()
                verdicts.append(verdict)
                verdict.assert_clean()
                assert verdict.completed == JOBS
            await rescuer.terminate()
    note(f"dispatcher killed: {point}", verdicts)
