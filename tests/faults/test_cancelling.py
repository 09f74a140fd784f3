"""A cancel sticks: told to the worker wherever it runs, and never beaten after it has won."""

import asyncio
import time
from collections import Counter

import pytest

from haulier.job import Handed, Request, Status
from tests.builders import artefact, submission
from tests.faults.fleet import fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import BUSY, HELD, QUICK
from tests.faults.scale import FULL, scale
from tests.integration.ledger_steps import LEASE
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(scale(fast=120, full=1_200))


def has_let_go(house, file_id) -> bool:
    """Whether the preparer ended, which by itself it would not within the time of a test."""
    return f"{file_id} ended" in house.diary.read_text()


@pytest.mark.parametrize("kinds", scale(fast=[(HELD, BUSY)], full=[(HELD,), (BUSY,)]), ids=str)
async def test_a_running_preparer_on_another_process_is_stopped(tmp_path, note, kinds):
    """One that waits, and one that computes in a thread and reports progress every 0.25 s."""
    verdicts, waits = [], []
    async with fleet(tmp_path / "home", workers=1) as house:
        for file_id in (kind + round_ for round_ in range(scale(fast=1, full=20)) for kind in kinds):
            async with Oracle(house) as oracle:
                job_id = await oracle.submit(file_id)
                await oracle.until(job_id, "processing")
                began = time.monotonic()
                assert (await oracle.call("DELETE", f"/v1/download/cancel/{job_id}")).status_code == 200
                await eventually(lambda: has_let_go(house, file_id))  # noqa: B023  called at once
                waits.append(time.monotonic() - began)
                verdict = await oracle.verdict()
                verdicts.append(verdict)
                verdict.assert_clean()
                assert (verdict.cancelled, verdict.leftovers) == (1, 0)
    named = " and ".join({HELD: "waiting", BUSY: "computing in a thread"}[kind] for kind in kinds)
    note(f"cancel of a running preparer, {named}", verdicts, recovery_s=waits)
    assert not FULL or max(waits) <= 1.0


async def test_cancel_against_complete_has_one_winner_each(ledger, connection, note_races):
    """The ledger decides; both sides hear the same, and the events say it once."""
    rounds = scale(fast=50, full=1_000)
    await ledger.workers.announce("w", slots=10)
    won = Counter[str]()
    for n in range(rounds):
        job = (await ledger.submissions.submit(submission(key=f"race {n}", request=Request(file_id=QUICK)))).job
        assert job.handed
        attempt = await ledger.attempts.claim(Handed(job.id, job.handover), worker="w", lease=LEASE)

        async def complete(attempt=attempt, first=n % 2 == 0):
            if not first:
                await asyncio.sleep(0)
            return await ledger.attempts.complete(attempt, artefact())

        completed, cancelled = await asyncio.gather(complete(), ledger.attempts.cancel(job.id, user_id="anna"))
        assert (completed is None) != (cancelled is None)
        final = await ledger.jobs.get(job.id)
        assert final.status is (Status.COMPLETED if completed else Status.CANCELLED)
        assert (final.artefact is not None) == (completed is not None)
        ends = await connection.fetch(
            "select status from job_events where job_id = $1 and status in ('completed', 'cancelled')", job.id
        )
        assert [end["status"] for end in ends] == [final.status.value]
        won[final.status.value] += 1
    note_races(rounds, remark=f"{won['cancelled']} cancelled, {won['completed']} too late")


async def test_cancels_race_with_real_workers(tmp_path, note):
    rounds = scale(fast=30, full=1_000)
    async with fleet(tmp_path / "home", workers=1, slots=8) as house, Oracle(house) as oracle:

        async def race(n: int) -> int:
            job_id = await oracle.submit(QUICK + n, user=f"user {n}")
            await asyncio.sleep(n % 10 * 0.005)
            answer = await oracle.call("DELETE", f"/v1/download/cancel/{job_id}", user=f"user {n}")
            seen = await oracle.status(job_id, user=f"user {n}")
            expected = {200: "cancelled", 409: "completed"}[answer.status_code]
            assert seen["status"] == expected, (answer.text, seen)
            return answer.status_code

        answers = Counter[int]()
        for start in range(0, rounds, 10):
            answers.update(await asyncio.gather(*(race(n) for n in range(start, start + 10))))
        verdict = await oracle.verdict()
        await oracle.assert_swept()
    verdict.assert_clean()
    assert (verdict.cancelled, verdict.completed) == (answers[200], answers[409])
    note(
        "cancel while workers complete",
        [verdict],
        rounds=rounds,
        remark=f"{answers[200]} cancelled, {answers[409]} too late",
    )


@pytest.fixture
def note_races(record_property):
    def add(rounds: int, remark: str) -> None:
        record_property("faults", ["cancel against complete in the ledger", rounds, rounds, 0, 0, 0, 0, "–", remark])

    return add
