"""A worker whose clock is an hour off takes no other's job and loses none of its own: the ledger's clock decides."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.fleet import DEFAULT_LEASE_S, fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import SLOW
from tests.faults.scale import only_full, scale
from tests.waiting import eventually

pytestmark = [
    pytest.mark.xdist_group("fleet"),
    pytest.mark.timeout(scale(fast=120, full=300)),
    pytest.mark.skipif(not shutil.which("faketime"), reason="needs faketime (tests/setup installs it)"),
]

JOBS = scale(fast=10, full=60)
FAKED = ("LD_PRELOAD", "FAKETIME", "DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC")


def clock_off_by(offset: str) -> dict[str, str]:
    """The variables that shift a process's clock; what it measures durations with stays honest."""
    words = ["faketime", "-m", "--exclude-monotonic", "-f", offset, "env"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    return {name: found[name] for name in FAKED if name in found}


@pytest.mark.parametrize("offset", ["+1h", pytest.param("-1h", marks=only_full)])
async def test_a_clock_that_is_an_hour_off_steals_no_lease(tmp_path, note, offset):
    """The one with the wrong clock leads as well: it decides which leases have run out."""
    async with fleet(tmp_path / "home", workers=0) as house, Oracle(house) as oracle:
        house.env["HAULIER_LEASE_S"] = DEFAULT_LEASE_S
        skewed = await house.start_worker(**clock_off_by(offset))
        await eventually(lambda: "dispatch_leading" in skewed.log.read_text(), within_s=60)
        await house.start_worker()
        await house.manned(8)
        await oracle.submit_many(range(SLOW, SLOW + JOBS))
        verdict = await oracle.verdict()
        async with house.connection() as connection:
            workers = await connection.fetchval("select count(distinct worker) from attempts")
        now, told = datetime.now(UTC), dated(skewed.log.read_text())
    note(f"one worker's clock {offset}", [verdict])
    verdict.assert_clean()
    assert (verdict.completed, verdict.duplicates, workers) == (JOBS, 0, 2)
    assert abs(told - now) > timedelta(minutes=50)


def dated(log: str) -> datetime:
    """The time of a log's last line."""
    return datetime.fromisoformat(json.loads(log.splitlines()[-1])["timestamp"])
