"""The JSON shapes of the wire contract, once: the API answers with them, the client reads them, OpenAPI describes them.

Times are RFC 3339 in UTC with milliseconds and `Z`; sizes are bytes; ids are UUIDs as text.
"""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from haulier.job import MAX_BATCH_FILES, MAX_FILE_ID, MIN_FILE_ID, WaitingFor

FileId = Annotated[int, Meta(ge=MIN_FILE_ID, le=MAX_FILE_ID, description="Number of a file, see the catalogue.")]
JobId = Annotated[str, Meta(description="UUIDv7 of a job.", extra_json_schema={"format": "uuid"})]
Time = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds.", extra_json_schema={"format": "date-time"})]
StatusName = Literal["queued", "processing", "completed", "failed", "cancelled"]
# Control characters have no business in names, and PostgreSQL refuses NUL.
Word = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
MAX_LETTERS_NAMED = 1_000
Params = Annotated[
    dict[str, Any], Meta(description="What the file's preparer lets you choose, by name; see `haulier preparers`.")
]
WaitingForName = Annotated[
    WaitingFor,
    Meta(description="What a queued job waits for: a free slot, the end of another job of yours, its retry_at, or us."),
]


class InitiateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for one file (`file_id`), or for several (`file_ids`): as one ZIP, or each as a job of its own (`mode`)."""

    file_id: FileId | UnsetType = UNSET
    file_ids: Annotated[tuple[FileId, ...], Meta(min_length=1, max_length=MAX_BATCH_FILES)] | UnsetType = UNSET
    params: Params = {}
    mode: Annotated[
        Literal["archive", "jobs"], Meta(description="What becomes of file_ids: one ZIP, or one job a file.")
    ] = "archive"
    allow_missing: Annotated[
        bool, Meta(description="Leave sources that do not exist out of an archive instead of failing.")
    ] = False
    notify: (
        Annotated[
            tuple[str, ...],
            Meta(max_length=20, description="Channels that are told of the outcome, by id; else those of every job."),
        ]
        | UnsetType
    ) = UNSET


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file_id: FileId
    params: Params = {}


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed: a stable code and a sentence."""

    code: str
    message: str


class Estimate(msgspec.Struct, frozen=True):
    """How long jobs like this took, in seconds from claim to end: the middle and the range of half of them."""

    median_s: float
    low_s: float
    high_s: float
    samples: int


class ProgressDetail(msgspec.Struct, frozen=True):
    """Bytes done of total (null while unknown) and what the preparer is doing."""

    stage: str
    done_bytes: int
    total_bytes: int | None


class FileState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one file of an archive; `error` says why it is missing."""

    file_id: int
    status: Literal["pending", "included", "missing"]
    error: JobError | UnsetType = UNSET


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job. Optional fields are left out when they do not apply."""

    job_id: JobId
    status: StatusName
    progress: Annotated[int, Meta(ge=0, le=100)]
    file_id: int | None
    created_at: Time
    updated_at: Time
    version: int
    attempt: int
    estimated_completion: Time | None
    file_ids: tuple[int, ...] | UnsetType = UNSET
    params: Params | UnsetType = UNSET
    allow_missing: bool | UnsetType = UNSET
    progress_detail: ProgressDetail | UnsetType = UNSET
    estimate: Estimate | UnsetType = UNSET
    queue_position: int | UnsetType = UNSET
    waiting_for: WaitingForName | UnsetType = UNSET
    retry_at: Time | UnsetType = UNSET
    started_at: Time | UnsetType = UNSET
    completed_at: Time | UnsetType = UNSET
    download_url: str | UnsetType = UNSET
    download_url_expires_at: Time | UnsetType = UNSET
    file_url: str | UnsetType = UNSET
    file_name: str | UnsetType = UNSET
    file_size: int | UnsetType = UNSET
    sha256: str | UnsetType = UNSET
    expires_at: Time | UnsetType = UNSET
    error: JobError | UnsetType = UNSET
    retry_of: JobId | UnsetType = UNSET
    batch_id: JobId | UnsetType = UNSET
    files: tuple[FileState, ...] | UnsetType = UNSET


class DownloadResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the file is. `expires_at` is the end of `download_url`; `file_url` is the handle that stays good."""

    job_id: JobId
    download_url: str
    expires_at: Time
    file_size: int
    file_name: str
    content_type: str
    etag: str
    file_url: str
    available_until: Time
    sha256: str | UnsetType = UNSET


class Cancelled(msgspec.Struct, frozen=True):
    job_id: JobId
    status: Literal["cancelled"] = "cancelled"


class JobPage(msgspec.Struct, frozen=True):
    """Jobs, newest first. `next_cursor` continues behind the last of them, null at the end."""

    jobs: tuple[JobStatus, ...]
    total: int
    page: int
    limit: int
    next_cursor: str | None


class CheckAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`size` and `estimated_seconds` are left out while nothing is known."""

    file_id: int
    available: bool
    size: int | UnsetType = UNSET
    estimated_seconds: float | UnsetType = UNSET


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A failed job as an operator sees it. `retried_as` is the latest job that took its place."""

    job_id: JobId
    user: str
    role: str
    file_id: int | None
    file_ids: tuple[int, ...] | UnsetType = UNSET
    preparer: str
    error: JobError
    attempts_used: int
    max_attempts: int
    created_at: Time
    started_at: Time | UnsetType = UNSET
    failed_at: Time
    retry_of: JobId | UnsetType = UNSET
    retried_as: JobId | UnsetType = UNSET
    retry_status: StatusName | UnsetType = UNSET


class AttemptReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of a job: which worker, how long, and how it ended."""

    number: int
    worker: str
    started_at: Time
    ended_at: Time | UnsetType = UNSET
    duration_s: float | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    error: JobError | UnsetType = UNSET


class DeadLetterDetail(DeadLetter, frozen=True, kw_only=True, omit_defaults=True):
    """A failed job with all its attempts."""

    attempts: tuple[AttemptReport, ...]


class DeadLetterPage(msgspec.Struct, frozen=True):
    """Failed jobs, the latest failure first. `next_cursor` continues behind the last of them, null at the end."""

    dead_letters: tuple[DeadLetter, ...]
    limit: int
    next_cursor: str | None


class RetryDeadLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which failed jobs to retry: `job_ids`, or filters as in the list, or `all`; exactly one of these ways."""

    job_ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=MAX_LETTERS_NAMED)] | UnsetType = UNSET
    user: Word | UnsetType = UNSET
    code: Word | UnsetType = UNSET
    preparer: Word | UnsetType = UNSET
    since: Time | UnsetType = UNSET
    until: Time | UnsetType = UNSET
    all: bool = False
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    dry_run: bool = False


class LetterRetry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one letter: a new job, the job that retries it already, or `error`."""

    job_id: JobId
    outcome: Literal["created", "joined", "refused", "would_retry"]
    retry_job_id: JobId | UnsetType = UNSET
    error: JobError | UnsetType = UNSET


class DeadLettersRetried(msgspec.Struct, frozen=True):
    """`matched` letters, of which `retried` became new jobs. `more`: not all were looked at, so call again."""

    matched: int
    retried: int
    more: bool
    jobs: tuple[LetterRetry, ...]


class HealthCheck(msgspec.Struct, frozen=True, omit_defaults=True):
    status: Literal["ok", "failing"]
    reason: str | UnsetType = UNSET


class Health(msgspec.Struct, frozen=True):
    """The process is alive; `checks` tells of ledger, engine, storage and the event loop."""

    status: Literal["ok", "degraded", "unready"]
    version: str
    checks: dict[str, HealthCheck]


class FieldProblem(msgspec.Struct, frozen=True):
    """Where a request is wrong (JSON pointer, or the name of a parameter) and what to do."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error answer (RFC 9457), as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: tuple[FieldProblem, ...] | UnsetType = UNSET
