"""Two dispatchers that both think they lead: what one has marked, the other takes back; nothing runs twice."""

import asyncio

import pytest

from tests.faults.fleet import fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import SLOW
from tests.faults.scale import only_full
from tests.waiting import eventually

pytestmark = [pytest.mark.xdist_group("fleet"), pytest.mark.timeout(300)]

LEADER_LOCK = 0x68617502
JOBS = 100
COUPS = 12
BETWEEN_S = 2.5  # above the pause in which a candidate looks again


async def depose(connection) -> None:
    """End the session that holds the lead; its process goes on with what it is doing."""

    async def ended() -> bool:
        return await connection.fetchval(
            "select bool_or(pg_terminate_backend(pid)) from pg_locks"
            " where locktype = 'advisory' and granted and objid = $1::bigint::oid",
            LEADER_LOCK,
        )

    await eventually(ended)


@only_full
async def test_two_dispatchers_at_once_hand_nothing_out_twice(tmp_path, note):
    """The first pauses between marking jobs and telling the engine; meanwhile it loses the lead without knowing."""
    async with fleet(tmp_path / "home", workers=0) as house, Oracle(house) as oracle:
        workers = [await house.start_worker(at=["marked=delay:3"]) for _ in range(2)]
        await house.manned(8)
        await oracle.submit_many(range(SLOW, SLOW + JOBS))
        async with house.connection() as connection:
            for _ in range(COUPS):
                await depose(connection)
                await asyncio.sleep(BETWEEN_S)
        verdict = await oracle.verdict()
    note(f"two dispatchers at once, {COUPS} coups", [verdict])
    verdict.assert_clean()
    assert (verdict.completed, verdict.duplicates) == (JOBS, 0)
    logs = [worker.log.read_text() for worker in workers]
    assert all("dispatch_leading" in log for log in logs)
    assert any("dispatch_took_back" in log for log in logs)
