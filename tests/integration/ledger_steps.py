"""Steps that many ledger tests take."""

from datetime import timedelta

from haulier.job import Attempt, Handed, Job
from haulier.ledger import Ledger

LEASE = timedelta(seconds=15)
HOUR = timedelta(hours=1)


async def handed(ledger: Ledger, job: Job) -> Handed:
    """The job handed over (all waiting jobs are)."""
    await ledger.workers.announce("steps", slots=500)
    await ledger.backlog.take(most=1_000)
    current = await ledger.jobs.get(job.id)
    return Handed(job.id, current.handover)


async def claimed(ledger: Ledger, job: Job, *, worker: str = "w1") -> Attempt:
    """The job's next attempt, running."""
    attempt = await ledger.attempts.claim(await handed(ledger, job), worker=worker, lease=LEASE)
    assert attempt is not None
    return attempt
