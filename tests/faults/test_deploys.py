"""Graceful deploys: processes come and go under load, and nobody notices."""

import asyncio

import pytest

from tests.faults.fleet import DEFAULT_LEASE_S, fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import QUICK, SLOW
from tests.faults.scale import scale

pytestmark = pytest.mark.timeout(scale(fast=120, full=1_200))


async def test_rolling_restarts_under_load(tmp_path, note):
    restarts = scale(fast=2, full=10)
    async with fleet(tmp_path / "home", workers=0, apis=2) as house, Oracle(house) as oracle:
        house.env["HAULIER_LEASE_S"] = DEFAULT_LEASE_S
        for _ in range(2):
            await house.start_worker()
        await house.manned(8)
        deployed = asyncio.Event()

        async def load() -> None:
            n = 0
            while not deployed.is_set():
                file_id = (SLOW if n % 5 == 0 else QUICK) + n
                await oracle.submit(file_id, user=f"user {n % 7}", once=True)
                n += 1
                await asyncio.sleep(0.05)

        loading = asyncio.create_task(load())
        for _ in range(restarts):
            await house.start_api()
            assert await house.apis.pop(0).terminate() == 0
            await house.start_worker()
            assert await house.workers.pop(0).terminate() == 0
        deployed.set()
        await loading
        verdict = await oracle.verdict()
        async with house.connection() as connection:
            burnt = await connection.fetchval("select count(*) from jobs where attempts_used > 1")
            outcomes = dict(await connection.fetch("select outcome, count(*) from attempts group by outcome"))
        steps = [line for line in house.diary.read_text().splitlines() if line.split()[0] >= str(SLOW)]
    handed_back = outcomes.pop("handed_back", 0)
    verdict.assert_clean()
    assert oracle.refused == []  # no 5xx, and nothing else either
    assert verdict.completed == verdict.jobs
    assert burnt == 0
    assert outcomes == {"completed": verdict.jobs}  # no attempt was lost
    assert handed_back > 0
    assert len(steps) - len(set(steps)) <= handed_back  # a step may be repeated, but no job starts from zero
    note(
        f"{restarts} rolling restarts of APIs and workers",
        [verdict],
        rounds=restarts,
        remark=f"{handed_back} handed back, 0 attempts burnt, {oracle.broken_off} connections broken off,"
        f" slowest answer {oracle.slowest_s:.1f} s",
    )
