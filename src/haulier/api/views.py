"""Jobs as the wire shows them. Pure."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from haulier.api.estimating import Outlook
from haulier.clock import wire_time
from haulier.job import Job, Status
from haulier.storage import Link
from haulier.wire import Estimate, JobError, JobStatus, ProgressDetail

LONGEST_RETRY_S = 10
RETRY_UNKNOWN_S = 2


def status_view(job: Job, *, outlook: Outlook, base_url: str, now: datetime, link: Link | None = None) -> JobStatus:
    """The job's status object. `link` is the caller's to sign; file_url stands while the artefact lives."""
    available = job.is_available(now=now)
    artefact = job.artefact
    return JobStatus(
        job_id=str(job.id),
        status=job.status.value,
        progress=100 if job.status is Status.COMPLETED else job.progress.percent,
        file_id=job.request.file_id,
        file_ids=job.request.file_ids or UNSET,
        created_at=wire_time(job.created_at),
        updated_at=wire_time(job.updated_at),
        version=job.version,
        attempt=job.attempt,
        estimated_completion=_time(outlook.completion) or None,
        progress_detail=_detail(job),
        estimate=_estimate(outlook),
        queue_position=outlook.position or UNSET,
        waiting_for=outlook.waiting_for or UNSET,
        retry_at=_time(job.retry_at) if job.retry_at and job.retry_at > now else UNSET,
        started_at=_time(job.started_at),
        completed_at=_time(job.completed_at),
        download_url=link.url if link else UNSET,
        download_url_expires_at=_time(link.expires_at) if link else UNSET,
        file_url=file_url(job, base_url=base_url) if available else UNSET,
        file_name=artefact.file_name if artefact else UNSET,
        file_size=artefact.size if artefact else UNSET,
        sha256=(artefact and artefact.sha256) or UNSET,
        expires_at=_time(job.artefact_expires_at),
        error=JobError(job.error.code, job.error.message) if job.error else UNSET,
        retry_of=str(job.retry_of) if job.retry_of else UNSET,
    )


def file_url(job: Job, *, base_url: str) -> str:
    """The handle that redirects to a freshly signed URL."""
    return f"{base_url}/v1/download/file/{job.id}"


def retry_after_s(job: Job, *, outlook: Outlook, now: datetime) -> int:
    """Seconds after which another look is worthwhile: until the expected end, within 1 to 10."""
    expected = outlook.completion or job.retry_at
    if expected is None:
        return RETRY_UNKNOWN_S
    return min(max(round((expected - now).total_seconds()), 1), LONGEST_RETRY_S)


def _time(moment: datetime | None) -> str | UnsetType:
    return UNSET if moment is None else wire_time(moment)


def _detail(job: Job) -> ProgressDetail | UnsetType:
    if not job.attempt:
        return UNSET
    return ProgressDetail(job.progress.stage, job.progress.done, job.progress.total)


def _estimate(outlook: Outlook) -> Estimate | UnsetType:
    spread = outlook.spread
    if spread is None:
        return UNSET
    return Estimate(
        median_s=round(spread.median_s, 3),
        low_s=round(spread.low_s, 3),
        high_s=round(spread.high_s, 3),
        samples=spread.samples,
    )
