"""Steps that many ledger tests take."""

from datetime import timedelta

from haulier.job import Attempt, Failure, Handed, Job, Request, new_job_id
from haulier.ledger import BatchFile, BatchSubmission, Ledger
from haulier.limits import RoleLimits
from tests.builders import artefact, submission

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


async def failed(ledger: Ledger, job: Job) -> Job:
    """The job, whose source is missing for good."""
    return await ledger.attempts.fail(await claimed(ledger, job), Failure("source_missing", "There is none."))


async def queue(
    ledger: Ledger,
    user_id: str,
    count: int,
    limits: RoleLimits | None = None,
    *,
    role: str = "free",
    first: int = 70_000,
) -> list[Job]:
    """`count` fresh jobs of a user, for files from `first` on."""
    return [
        (
            await ledger.submissions.submit(
                submission(
                    user_id=user_id, role=role, request=Request(file_id=first + n), limits=limits or RoleLimits()
                )
            )
        ).job
        for n in range(count)
    ]


def batch(count: int = 3, *, first: int = 70_000, **fields: object) -> BatchSubmission:
    """Anna asks for `count` files, one job each, without limits."""
    files = [BatchFile(new_job_id(), Request(file_id=first + n), "simulate") for n in range(count)]
    known = {"user_id": "anna", "role": "free", "max_attempts": 3, "limits": RoleLimits()}
    return BatchSubmission(id=new_job_id(), files=files, **known | fields)


async def taken(ledger: Ledger, *, slots: int = 500) -> list[Job]:
    """The jobs that a dispatcher hands over to a fleet of `slots`, in order."""
    await ledger.workers.announce("steps", slots=slots)
    return [await ledger.jobs.get(ticket.job_id) for ticket in await ledger.backlog.take(most=100)]


async def run(ledger: Ledger, job: Job, *, worker: str = "w1") -> Job:
    """A handed-over job, run to its good end."""
    attempt = await ledger.attempts.claim(Handed(job.id, job.handover), worker=worker, lease=LEASE)
    assert attempt is not None
    return await ledger.attempts.complete(attempt, artefact())
