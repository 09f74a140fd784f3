"""Steps that many tests of the API take: bringing a job to where a test needs it."""

from uuid import UUID

from haulier.api.services import Services
from haulier.job import Artefact, Attempt, Failure, Job
from tests.integration.ledger_steps import claimed

CONTENT = b"hello"


async def processing(services: Services, job_id: str) -> Attempt:
    job = await services.ledger.jobs.get(UUID(job_id))
    attempt = await claimed(services.ledger, job)
    services.snapshots.announce(attempt.job)
    return attempt


async def completed(services: Services, job_id: str) -> Job:
    attempt = await processing(services, job_id)
    key = f"artifacts/{job_id}/1/70000.zip"

    async def chunks():
        yield CONTENT

    written = await services.storage.write(key, chunks(), file_name="70000.zip", content_type="application/zip")
    artefact = Artefact(
        key=key,
        file_name="70000.zip",
        content_type="application/zip",
        size=written.size,
        etag=written.etag,
        sha256=written.sha256,
    )
    job = await services.ledger.attempts.complete(attempt, artefact)
    services.snapshots.announce(job)
    return job


async def failed(services: Services, job_id: str) -> Job:
    attempt = await processing(services, job_id)
    job = await services.ledger.attempts.fail(attempt, Failure("source_missing", "There is no such source."))
    services.snapshots.announce(job)
    return job
