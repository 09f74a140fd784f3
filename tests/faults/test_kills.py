"""kill -9 at each failpoint: whatever the process was doing, nothing accepted is lost and no file is wrong.

The fast subset kills at all points of a process in one round, the full run at each alone. Recovery is told from the
death on, with the start of the rescuing worker in it; a fleet that has other workers does without that part, so the
limit is on the rest.
"""

import statistics
import time
from signal import SIGKILL

import pytest

from haulier.failpoints import Point
from tests.faults.fleet import LEASE_S, fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import BIG, QUICK
from tests.faults.scale import FULL, scale

pytestmark = pytest.mark.timeout(scale(fast=120, full=1_200))

ROUNDS = scale(fast=1, full=20)
JOBS = 6
IN_API = (Point.SUBMITTED, Point.MARKED, Point.HANDED_OVER)
IN_WORKER = (Point.CLAIMED, Point.PART_SENT, Point.STORED, Point.COMMITTED)
IN_DISPATCHER = (Point.MARKED, Point.HANDED_OVER)


def nth(point, round_):
    """At which pass a victim dies: the second; of an upload's parts at another one in each round."""
    return 2 + round_ if point is Point.PART_SENT else 2


def together_or_alone(points):
    """Groups of points that a test kills at."""
    return pytest.mark.parametrize("points", scale(fast=[points], full=[(point,) for point in points]), ids=", ".join)


async def judged(oracle, *, jobs=JOBS):
    """The verdict, once everything has completed."""
    verdict = await oracle.verdict()
    verdict.assert_clean()
    assert verdict.completed == jobs
    return verdict


async def rescue(house, starts):
    """A worker that takes over; notes the seconds until it is ready."""
    began = time.monotonic()
    rescuer = await house.start_worker()
    await rescuer.ready()
    starts.append(time.monotonic() - began)
    return rescuer


def assert_soon(recoveries, starts):
    rest = [recovery_s - start_s for recovery_s, start_s in zip(recoveries, starts, strict=True)]
    assert not FULL or max(rest) <= LEASE_S + 5


def told(starts):
    return f"{statistics.median(starts):.1f} / {max(starts):.1f} of it to start a worker"


@together_or_alone(IN_WORKER)
async def test_a_worker_killed_at_a_point_loses_nothing(tmp_path, note, points):
    verdicts, recoveries, starts = [], [], []
    jobs = JOBS * len(points)
    async with fleet(tmp_path / "home", workers=0) as house:
        for round_ in range(ROUNDS):
            victims = [await house.start_worker(at=[f"{point}=kill:{nth(point, round_)}"]) for point in points]
            await house.manned(4 * len(victims))
            async with Oracle(house) as oracle:
                await oracle.submit_many(BIG + round_ * jobs + n for n in range(jobs))
                for victim in victims:
                    assert await victim.ended() == -SIGKILL
                began = time.monotonic()
                rescuer = await rescue(house, starts)
                verdicts.append(await judged(oracle, jobs=jobs))
                recoveries.append(time.monotonic() - began)
                await oracle.assert_swept()
            await rescuer.terminate()
    note(f"worker killed: {', '.join(points)}", verdicts, recovery_s=recoveries, remark=told(starts))
    assert_soon(recoveries, starts)


@together_or_alone(IN_API)
async def test_an_api_killed_at_a_point_loses_nothing(tmp_path, note, points):
    verdicts, recoveries = [], []
    jobs = JOBS * len(points)
    async with fleet(tmp_path / "home", workers=1, apis=1) as house:
        for round_ in range(ROUNDS):
            victims = [await house.start_api(at=[f"{point}=kill:2"]) for point in points]
            house.apis = [*victims, *(api for api in house.apis if api not in victims)]
            async with Oracle(house) as oracle:
                await oracle.submit_many(QUICK + round_ * jobs + n for n in range(jobs))
                for victim in victims:
                    assert await victim.ended() == -SIGKILL
                    house.apis.remove(victim)
                began = time.monotonic()
                verdicts.append(await judged(oracle, jobs=jobs))
                recoveries.append(time.monotonic() - began)
    note(f"API killed: {', '.join(points)}", verdicts, recovery_s=recoveries)


@together_or_alone(IN_DISPATCHER)
async def test_a_dispatcher_killed_half_way_loses_nothing(tmp_path, note, points):
    verdicts, recoveries, starts = [], [], []
    async with fleet(tmp_path / "home", workers=0) as house:
        for round_ in range(ROUNDS):
            async with house.connection() as connection:
                await connection.execute("delete from workers")  # or the API would hand the jobs over itself
            async with Oracle(house) as oracle:
                await oracle.submit_many(QUICK + round_ * JOBS + n for n in range(JOBS))
                for point in points:  # in this order: only who dies before telling the engine leaves work for the next
                    victim = await house.start_worker(at=[f"{point}=kill:1"])
                    assert await victim.ended() == -SIGKILL
                began = time.monotonic()
                rescuer = await rescue(house, starts)
                verdicts.append(await judged(oracle))
                recoveries.append(time.monotonic() - began)
            await rescuer.terminate()
    note(f"dispatcher killed: {', '.join(points)}", verdicts, recovery_s=recoveries, remark=told(starts))
    assert_soon(recoveries, starts)
