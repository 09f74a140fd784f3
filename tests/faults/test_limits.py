"""Limits without races: across API processes, across restarts."""

import asyncio
from collections import Counter

import pytest

from tests.faults.fleet import fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import QUICK, SLOW
from tests.faults.scale import scale

pytestmark = pytest.mark.timeout(scale(fast=120, full=1_200))

PARALLEL = 200
MOST_AT_ONCE = """
with own as (select attempts.* from attempts join jobs on jobs.id = job_id where user_id = $1)
select max((select count(*) from own where started_at <= began.at and ended_at > began.at))
from (select started_at as at from own) as began
"""


async def initiate(oracle, n, *, user, first=None):
    answer = await oracle.call("POST", "/v1/download/initiate", user=user, first=first, json={"file_id": QUICK + n})
    if answer.status_code == 200:
        oracle.accepted[answer.json()["job_id"]] = QUICK + n
    return answer.status_code


async def test_parallel_initiates_at_quota_minus_one_admit_exactly_one(tmp_path, note):
    rounds, quota = scale(fast=2, full=100), 3
    async with fleet(tmp_path / "home", workers=1, apis=0) as house:
        await house.at_noon()
        limits = {"HAULIER_LIMITS_FREE": f"rate=unlimited,quota={quota},running=unlimited"}
        for _ in range(2):
            await house.start_api(**limits)
        async with Oracle(house) as oracle:
            for round_ in range(rounds):
                user = f"user {round_}"
                for n in range(quota - 1):
                    assert await initiate(oracle, n, user=user) == 200
                answers = Counter(
                    await asyncio.gather(
                        *(
                            initiate(oracle, quota + n, user=user, first=house.apis[n % len(house.apis)])
                            for n in range(PARALLEL)
                        )
                    )
                )
                assert answers == {200: 1, 429: PARALLEL - 1}
            verdict = await oracle.verdict()
    verdict.assert_clean()
    assert verdict.completed == rounds * quota
    note(
        f"{PARALLEL} parallel initiates at quota minus one, two APIs",
        [verdict],
        rounds=rounds,
        remark="one admitted in each round",
    )


async def test_limits_survive_restarts(tmp_path, note):
    async with fleet(tmp_path / "home", workers=1, apis=0, slots=6) as house:
        limits = {
            "HAULIER_LIMITS_FREE": "rate=4,quota=unlimited,running=2",
            "HAULIER_LIMITS_PREMIUM": "quota=2,rate=unlimited",
        }
        await house.at_noon()
        api = await house.start_api(**limits)
        async with Oracle(house) as oracle:
            for n in range(4):
                assert await oracle.submit(SLOW + n, user="anna")
            for n in range(2):
                assert await oracle.submit(QUICK + n, user="paula", role="premium")
            house.apis.clear()
            api.kill()
            await api.ended()
            await house.start_api(port=api.port, **limits)
            assert await oracle.submit(SLOW + 5, user="anna") is None
            assert await oracle.submit(QUICK + 5, user="paula", role="premium") is None
            assert oracle.refused == [429, 429]
            verdict = await oracle.verdict()
        async with house.connection() as connection:
            most = await connection.fetchval(MOST_AT_ONCE, "anna")
    verdict.assert_clean()
    assert most == 2
    note("rate, quota and running cap over an API restart", [verdict])
