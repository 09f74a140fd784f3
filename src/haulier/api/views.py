"""Jobs as the wire shows them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from haulier.api.estimating import Outlook
from haulier.clock import wire_time
from haulier.job import Job, Status
from haulier.ledger import Batch, BatchAdmission
from haulier.storage import Link
from haulier.wire import Estimate, FileState, JobError, JobStatus, ProgressDetail
from haulier.wire_batches import BatchAccepted, BatchCounts, BatchFile, BatchJob, BatchStatus

LONGEST_RETRY_S = 10
LONGEST_RETRY_QUEUED_S = 30
QUEUE_SHARE = 4  # a queue is looked at four times, whatever its length
RETRY_UNKNOWN_S = 2
_STATE_OF: Mapping[str, Literal["pending", "included", "missing"]] = {
    "p": "pending",
    "i": "included",
    "m": "missing",
}


def status_view(
    job: Job,
    *,
    outlook: Outlook,
    base_url: str,
    now: datetime,
    link: Link | None = None,
    with_files: bool = False,
) -> JobStatus:
    """The job's status object. `link` is the caller's to sign; file_url stands while the artefact lives.

    `with_files` adds the state of each file of an archive of several.
    """
    available = job.is_available(now=now)
    artefact = job.artefact
    return JobStatus(
        job_id=str(job.id),
        status=job.status.value,
        progress=100 if job.status is Status.COMPLETED else job.progress.percent,
        file_id=job.request.file_id,
        file_ids=job.request.file_ids or UNSET,
        params=job.request.params or UNSET,
        allow_missing=job.request.allow_missing or UNSET,
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
        batch_id=str(job.batch_id) if job.batch_id else UNSET,
        files=_file_states(job) if with_files and job.request.file_ids else UNSET,
    )


def batch_accepted(admission: BatchAdmission) -> BatchAccepted:
    """What became of a request for one job a file."""
    return BatchAccepted(
        batch_id=str(admission.batch_id),
        mode="jobs",
        total=len(admission.jobs),
        joined=sum(admission.joined),
        jobs=tuple(
            BatchJob(job.request.file_id or 0, str(job.id), job.status.value, joined)
            for job, joined in zip(admission.jobs, admission.joined, strict=True)
        ),
    )


def batch_view(batch: Batch, jobs: Sequence[Job] | None, *, base_url: str, now: datetime) -> BatchStatus:
    """The batch's status object, with its files when their `jobs` are given."""
    by_status = {status.value: count for status, count in batch.counts.items()}
    counts = BatchCounts(**by_status, forgotten=batch.total - sum(by_status.values()))
    return BatchStatus(
        batch_id=str(batch.id),
        created_at=wire_time(batch.created_at),
        total=batch.total,
        over=not counts.queued and not counts.processing,
        counts=counts,
        files=UNSET if jobs is None else tuple(_batch_file(job, base_url=base_url, now=now) for job in jobs),
    )


def _batch_file(job: Job, *, base_url: str, now: datetime) -> BatchFile:
    assert job.request.file_id is not None
    artefact = job.artefact if job.is_available(now=now) else None
    return BatchFile(
        file_id=job.request.file_id,
        job_id=str(job.id),
        status=job.status.value,
        file_url=file_url(job, base_url=base_url) if artefact else UNSET,
        file_name=artefact.file_name if artefact else UNSET,
        file_size=artefact.size if artefact else UNSET,
        expires_at=_time(job.artefact_expires_at),
        error=JobError(job.error.code, job.error.message) if job.error else UNSET,
    )


def _file_states(job: Job) -> tuple[FileState, ...]:
    """Files of which nothing is known are pending; once the job is completed they are in."""
    unknown = "i" if job.status is Status.COMPLETED else "p"
    letters = job.files.states.ljust(len(job.request.file_ids), unknown)
    return tuple(
        FileState(
            file_id,
            _STATE_OF.get(letter, "pending"),
            JobError(error.code, error.message) if (error := job.files.errors.get(index)) else UNSET,
        )
        for index, (file_id, letter) in enumerate(zip(job.request.file_ids, letters, strict=False))
    )


def file_url(job: Job, *, base_url: str) -> str:
    """The handle that redirects to a freshly signed URL."""
    return f"{base_url}/v1/download/file/{job.id}"


def retry_after_s(job: Job, *, outlook: Outlook, now: datetime) -> int:
    """Seconds after which another look is worthwhile: until the expected end, within 1 to 10; of a queued job a
    quarter of that time, within 2 to 30."""
    expected = outlook.completion or job.retry_at
    if expected is None:
        return RETRY_UNKNOWN_S
    left_s = (expected - now).total_seconds()
    if job.status is Status.QUEUED:
        return min(max(round(left_s / QUEUE_SHARE), RETRY_UNKNOWN_S), LONGEST_RETRY_QUEUED_S)
    return min(max(round(left_s), 1), LONGEST_RETRY_S)


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
