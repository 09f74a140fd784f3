"""Five minutes of everything at once."""

import asyncio
import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.fleet import fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import BIG, QUICK, SLOW
from tests.faults.scale import only_full

pytestmark = [only_full, pytest.mark.timeout(900)]

SOAK_S = 300
KILL_EVERY_S = 2.0
JOBS = 1_200


async def test_a_soak_of_kills_flushes_and_a_restart(tmp_path, note):
    rng = Random(20_261_123)
    async with (
        fleet(tmp_path / "home", workers=0, apis=1) as house,
        house.redis() as redis,
        Oracle(house) as oracle,
    ):
        # A worker that dies every few seconds takes innocent jobs along: they get attempts enough.
        house.env["HAULIER_MAX_ATTEMPTS"] = "100"
        api = house.apis.pop()
        api.kill()
        await house.start_api()
        for _ in range(3):
            await house.start_worker()
        end = time.monotonic() + SOAK_S
        kills = 0

        async def load() -> None:
            kinds = [QUICK, QUICK, QUICK, SLOW, BIG]
            for n in range(JOBS):
                await oracle.submit(kinds[n % 5] + n, user=f"user {n % 20}", once=True)
                await asyncio.sleep(SOAK_S / JOBS * 0.8)

        async def kill() -> None:
            nonlocal kills
            while time.monotonic() < end:
                await asyncio.sleep(KILL_EVERY_S)
                victim = house.workers.pop(rng.randrange(len(house.workers)))
                victim.kill()
                kills += 1
                await house.start_worker()

        async def wipe() -> None:
            await asyncio.sleep(SOAK_S / 3)
            await redis.flushall()
            await asyncio.sleep(SOAK_S / 3)
            await redis.flushall()

        async def restart_postgres() -> None:
            await asyncio.sleep(SOAK_S / 2)
            os.kill(_postmaster(house.home), signal.SIGQUIT)

        await asyncio.gather(load(), kill(), wipe(), restart_postgres())
        await house.start_worker(slots=8)
        began = time.monotonic()
        verdict = await oracle.verdict(within_s=300)
        recovery_s = time.monotonic() - began
        await oracle.assert_swept()
    verdict.assert_clean()
    assert verdict.completed == verdict.jobs
    refused = len(oracle.refused)
    assert set(oracle.refused) <= {503}
    assert verdict.jobs + refused == JOBS
    assert verdict.jobs >= 1_000
    note(
        f"soak of {SOAK_S} s: {kills} workers killed, Redis flushed twice, PostgreSQL restarted",
        [verdict],
        remark=f"{refused} × 503, all over {recovery_s:.0f} s after the last kill",
    )


def _postmaster(home: Path) -> int:
    (pid_file,) = home.glob("**/postmaster.pid")
    return int(pid_file.read_text().splitlines()[0])
