"""The job that a caller names."""

from uuid import UUID

from haulier.api.access import may_see, own_job
from haulier.api.auth import Caller
from haulier.api.services import Services
from haulier.job import Job


async def find_job(job_id: UUID, *, caller: Caller, services: Services, version: int = 0) -> Job:
    """The job as it is known here, not older than `version`, which the caller has seen.

    Raises JobNotFound, also when it is someone else's. With the ledger silent that raises LedgerUnavailable, as a job
    does that there is not.
    """
    job = await services.snapshots.at_least(job_id, version=version, serves=lambda known: may_see(known, caller))
    return own_job(job, caller)
