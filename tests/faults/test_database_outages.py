"""PostgreSQL killed, restarted, unreachable, full, or ending sessions: nothing false is accepted, nothing is lost."""

import asyncio
import subprocess
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from haulier.tasks import background, repeat
from tests.faults.oracle import Oracle
from tests.faults.outages import ANSWER_S, BUSY_AGAIN_S, Load, judged, outages
from tests.faults.preparers import QUICK, SLOW
from tests.faults.scale import FULL, only_full, scale

pytestmark = [pytest.mark.xdist_group("fleet"), pytest.mark.timeout(scale(fast=120, full=400))]

OUTAGE_S = scale(fast=2, full=30)
BEFORE = 8


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system that a test can fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m,mode=0700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused_honestly(oracle):
    """Only with 503: no request met an error of ours, and none waited long."""
    assert set(oracle.refused) <= {503}
    assert not FULL or oracle.slowest_s <= ANSWER_S


async def gone(broken, oracle, note, fault, *, away, back):
    """Running jobs at its start, load through it, and who is busy after it."""
    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    await broken.processing()
    async with Load(oracle, first=QUICK, every_s=OUTAGE_S / 30).running() as load:
        await asyncio.sleep(OUTAGE_S / 5)
        await away()
        await asyncio.sleep(OUTAGE_S)
        await back()
        busy_s = await broken.busy_s()
    refused_honestly(oracle)
    assert load.untold == 0  # known jobs are told from what was announced
    await judged(broken, oracle, note, fault, recovery_s=busy_s)
    assert not FULL or busy_s <= BUSY_AGAIN_S


async def test_postgres_killed_and_started_again(broken, oracle, note):
    """Its supervisor starts it again at once; clients meet a recovery."""

    async def away():
        broken.postgres.kill()

    await gone(broken, oracle, note, "PostgreSQL killed (-9)", away=away, back=broken.postgres_answers)


@only_full
async def test_postgres_shut_down_for_a_while(broken, oracle, note):
    fault = f"PostgreSQL shut down for {OUTAGE_S} s"
    await gone(broken, oracle, note, fault, away=broken.postgres.stop, back=broken.postgres.start)
    assert oracle.refused


@only_full
async def test_postgres_behind_a_dead_network(broken, oracle, note):
    async def away():
        broken.database.blackhole()

    async def back():
        broken.database.heal()

    await gone(broken, oracle, note, f"PostgreSQL unreachable for {OUTAGE_S} s", away=away, back=back)
    assert oracle.refused


async def test_running_jobs_go_on_without_the_ledger(broken, oracle, note):
    """Checkpoints and ends are written when it is back; nothing is done twice."""
    await oracle.submit_many(range(SLOW, SLOW + 4))
    await broken.processing(4)
    with broken.database.refusing():
        await asyncio.sleep(scale(fast=1.5, full=10))
    verdict = await oracle.verdict()
    note("PostgreSQL away during attempts", [verdict])
    verdict.assert_clean()
    assert (verdict.completed, verdict.duplicates) == (4, 0)
    broken.assert_nobody_restarted()


@only_full
async def test_sessions_ended_in_a_loop(broken, oracle, note):
    async def step() -> float:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return 0.2

    await oracle.submit_many(range(SLOW, SLOW + BEFORE))
    async with (
        broken.house.connection() as connection,
        Load(oracle, first=QUICK, every_s=0.05).running() as load,
        background(repeat(step, name="ending sessions")),
    ):
        await asyncio.sleep(10)
    async with Load(oracle, first=QUICK + 50_000).running():
        busy_s = await broken.busy_s()
    refused_honestly(oracle)
    assert load.untold == 0
    await judged(broken, oracle, note, "PostgreSQL sessions ended every 0.2 s for 10 s", recovery_s=busy_s)
    assert busy_s <= BUSY_AGAIN_S


@asynccontextmanager
async def filled(folder):
    """Not a byte is free in `folder` during the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
    yield
    filler.unlink()


async def no_table_grows(connection):
    """Commits still work for a while: their log has room."""
    with pytest.raises(asyncpg.DiskFullError):
        await connection.execute("create table waste as select repeat('x', 1000) from generate_series(1, 1e6)")


async def no_commit_works(connection):
    """PostgreSQL crashes when its log has no room, and does not come back before it has."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        while True:
            await connection.execute("select pg_logical_emit_message(false, 'test', repeat('x', 1000000))")


@only_full
@pytest.mark.parametrize("full", [no_table_grows, no_commit_works], ids=["tables", "log"])
async def test_the_ledgers_disk_is_full(tmp_path, small_disk, note, full):
    full_s = 10
    async with outages(tmp_path / "home", postgres_home=small_disk) as broken, Oracle(broken.house) as oracle:
        await oracle.submit_many(range(SLOW, SLOW + BEFORE))
        await broken.processing()
        async with Load(oracle, first=QUICK, every_s=0.05).running():
            async with filled(small_disk):
                async with broken.house.connection() as connection:
                    await full(connection)
                await asyncio.sleep(full_s)
            await broken.postgres_answers()
            busy_s = await broken.busy_s()
        refused_honestly(oracle)
        assert oracle.refused
        await judged(broken, oracle, note, f"PostgreSQL's disk full for {full_s} s: {full.__name__}", recovery_s=busy_s)
        assert busy_s <= BUSY_AGAIN_S
