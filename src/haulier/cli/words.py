"""Numbers and jobs in words, for people."""

from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType

from haulier.wire import DeadLetter, JobError, JobStatus

PARAMS_SHOWN = 60


def size_words(size_bytes: int) -> str:
    """`4.2 MB`; powers of 1,000, as disks and networks are sold."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    amount = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1_000
        if amount < 999.95 or unit == "TB":
            return f"{amount:.1f} {unit}"
    raise AssertionError


def duration_words(seconds: float) -> str:
    """`40 s`, `3 min 20 s`, `2 h 5 min`, `4 d`; never below zero."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    if whole < 86_400:
        return f"{whole // 3_600} h" + (f" {whole % 3_600 // 60} min" if whole % 3_600 // 60 else "")
    return f"{whole // 86_400} d"


def moment(wire_time: str) -> datetime:
    """A time of the wire."""
    return datetime.fromisoformat(wire_time).astimezone(UTC)


def files_words(job: JobStatus | DeadLetter) -> str:
    """What the job is for: `file 70000`, `file 70100 (columns=6, format=png)`, `3 files`."""
    if job.file_ids is not UNSET and job.file_ids:
        return f"{len(job.file_ids)} files"
    return f"file {job.file_id}{_params_words(job)}"


def _params_words(job: JobStatus | DeadLetter) -> str:
    if isinstance(job, DeadLetter) or job.params is UNSET or not job.params:
        return ""
    said = ", ".join(
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in job.params.items()
    )
    return one_line(f" ({said if len(said) <= PARAMS_SHOWN else said[: PARAMS_SHOWN - 1] + '…'})")


def ready_words(done: int, total: int) -> str:
    """How far a batch is."""
    return f"{done} of {total} files are ready"


def missing_words(file_id: int, error: JobError | UnsetType) -> str:
    """A line for a file that could not be had."""
    why = "" if error is UNSET else f": {one_line(error.message)} [{error.code}]"
    return f"  file {file_id}{why}"


_WAITING = {
    "running_cap": "waiting for another of your jobs to end",
    "dependency": "waiting for the service: no worker can be reached",
}


def state_words(job: JobStatus, *, now: datetime) -> str:
    """What the job is doing: `queued, position 3, ready in about 40 s`, `zipping`."""
    if job.status == "queued":
        parts = ["queued"]
        if job.queue_position is not UNSET:
            parts.append(f"position {job.queue_position}")
        if job.waiting_for is not UNSET and job.waiting_for in _WAITING:
            parts.append(_WAITING[job.waiting_for])
        if job.retry_at is not UNSET:
            parts.append(f"next attempt in {duration_words((moment(job.retry_at) - now).total_seconds())}")
        elif job.estimated_completion is not None:
            left_s = (moment(job.estimated_completion) - now).total_seconds()
            if left_s >= 1:
                parts.append(f"ready in about {duration_words(left_s)}")
        return ", ".join(parts)
    if job.status == "processing" and job.progress_detail is not UNSET and job.progress_detail.stage:
        return job.progress_detail.stage
    if job.status == "completed" and job.expires_at is not UNSET and moment(job.expires_at) <= now:
        return f"its file has expired; `haulier get {_ids(job)}` prepares it again"
    return job.status


def _ids(job: JobStatus) -> str:
    return str(job.file_id) if job.file_id is not None else "…"


def one_line(text: str) -> str:
    """Text from elsewhere without control characters: it must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
