"""Whose job it is. Someone else's job is indistinguishable from one that does not exist. Pure."""

from haulier.api.auth import Caller
from haulier.clock import Clock
from haulier.errors import ArtefactExpired, BatchNotFound, Forbidden, JobNotFound, JobNotReady
from haulier.job import Artefact, Job, Status
from haulier.ledger import Batch


def may_see(job: Job, caller: Caller) -> bool:
    """Its owner may, or an admin."""
    return job.user_id == caller.user_id or caller.is_admin


def own_job(job: Job | None, caller: Caller) -> Job:
    """The job, if the caller may see it. Raises JobNotFound otherwise."""
    if job is None or not may_see(job, caller):
        raise JobNotFound
    return job


def own_batch(batch: Batch | None, caller: Caller) -> Batch:
    """The batch, if the caller may see it. Raises BatchNotFound otherwise."""
    if batch is None or (batch.user_id != caller.user_id and not caller.is_admin):
        raise BatchNotFound
    return batch


def admin_only(caller: Caller) -> None:
    """Raises Forbidden for everyone else."""
    if not caller.is_admin:
        raise Forbidden


def available_artefact(job: Job, *, clock: Clock) -> Artefact:
    """The artefact to hand out. Raises JobNotReady (also when there will be none) or ArtefactExpired."""
    if job.status is not Status.COMPLETED or job.artefact is None:
        raise JobNotReady(job_status=job.status.value)
    if not job.is_available(now=clock.now()):
        raise ArtefactExpired
    return job.artefact
