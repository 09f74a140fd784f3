"""What is told of a job's outcome, the same whenever and however often it is told. Pure."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from haulier.clock import wire_time
from haulier.job import Job, Status
from haulier.notify.port import Notice
from haulier.settings import Settings
from haulier.wire import JobError
from haulier.wire_channels import EventName, Outcome, OutcomeMessage, Trial, TrialMessage

_EVENTS: Mapping[Status, EventName] = {
    Status.COMPLETED: "job.completed",
    Status.FAILED: "job.failed",
    Status.CANCELLED: "job.cancelled",
}
TEST_MESSAGE = "A test, as you asked for. Outcomes of jobs look like their status."


def message_of(notice: Notice, *, settings: Settings) -> bytes:
    """The body of a webhook."""
    at = wire_time(notice.at)
    if notice.job is None:
        return msgspec.json.encode(TrialMessage("test", at, Trial(str(notice.channel_id), TEST_MESSAGE)))
    told = outcome_of(notice.job, settings=settings)
    return msgspec.json.encode(OutcomeMessage(_EVENTS[notice.job.status], at, told))


def outcome_of(job: Job, *, settings: Settings) -> Outcome:
    """The facts of a job that is over: none of them changes later, not even when its file expires."""
    assert job.completed_at is not None
    artefact = job.artefact
    return Outcome(
        job_id=str(job.id),
        status=job.status.value,
        version=job.version,
        file_id=job.request.file_id,
        file_ids=job.request.file_ids or UNSET,
        params=job.request.params or UNSET,
        page_url=settings.page_url(job.id),
        created_at=wire_time(job.created_at),
        started_at=wire_time(job.started_at) if job.started_at else UNSET,
        completed_at=wire_time(job.completed_at),
        file_url=f"{settings.base_url}/v1/download/file/{job.id}" if artefact else UNSET,
        file_name=artefact.file_name if artefact else UNSET,
        file_size=artefact.size if artefact else UNSET,
        sha256=(artefact and artefact.sha256) or UNSET,
        expires_at=wire_time(job.artefact_expires_at) if job.artefact_expires_at else UNSET,
        error=JobError(job.error.code, job.error.message) if job.error else UNSET,
        retry_of=str(job.retry_of) if job.retry_of else UNSET,
        batch_id=str(job.batch_id) if job.batch_id else UNSET,
    )
