"""The job: its statuses, the transitions between them, its record. Pure; every other module may import it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec
import uuid_utils.compat

MIN_FILE_ID = 10_000
MAX_FILE_ID = 100_000_000
MAX_BATCH_FILES = 1_000


class Status(StrEnum):
    """A job's status, as on the wire."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


# What a queued job can wait for: its turn, the end of another job of its user, its retry_at, or us.
WaitingFor = Literal["slots", "running_cap", "retry_time", "dependency"]

TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

# The one table of transitions; `job_transitions` in the ledger repeats it and a test compares the two.
TRANSITIONS: frozenset[tuple[Status, Status]] = frozenset(
    {
        (Status.QUEUED, Status.PROCESSING),  # claim
        (Status.PROCESSING, Status.QUEUED),  # transient error, hand-back, lost lease
        (Status.PROCESSING, Status.COMPLETED),
        (Status.PROCESSING, Status.FAILED),
        (Status.QUEUED, Status.CANCELLED),
        (Status.PROCESSING, Status.CANCELLED),
    }
)


def may_become(before: Status, after: Status) -> bool:
    """Whether the ledger accepts this change of status."""
    return (before, after) in TRANSITIONS


def new_job_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): sortable by time of creation."""
    return uuid_utils.compat.uuid7()


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client asked for: one file, or several files as one ZIP. Exactly one of the two is set.

    `params` are what the client chose of what the file's preparer lets it choose. With `allow_missing`, sources that do
    not exist are left out of an archive, and its manifest says so, instead of failing the job.
    """

    file_id: int | None = None
    file_ids: tuple[int, ...] = ()
    params: dict[str, Any] = {}
    allow_missing: bool = False


class Failure(msgspec.Struct, frozen=True):
    """Why an attempt or a job failed, in words for the user."""

    code: str
    message: str


class Progress(msgspec.Struct, frozen=True):
    """How far an attempt is. `done` and `total` are bytes, `total` is None while unknown; `percent` never goes back."""

    stage: str = ""
    done: int = 0
    total: int | None = None
    percent: int = 0

    def advanced(self, *, stage: str, done: int, total: int | None) -> "Progress":
        """The progress after a report. 100 percent is kept for a completed job: work under way shows at most 99."""
        share = max(0, done) * 100 // total if total else 0
        return Progress(stage or self.stage, max(0, done), total, max(self.percent, min(99, share)))


class FileStates(msgspec.Struct, frozen=True):
    """What became of each file of a batch: `states` has one letter a file (p pending, i included, m missing), and
    `errors` says by its index why one is missing. Without letters nothing is known yet."""

    states: str = ""
    errors: Mapping[int, Failure] = {}


NO_FILES = FileStates()


class Artefact(msgspec.Struct, frozen=True):
    """The file a user downloads. `size` in bytes, `sha256` as 64 hex digits (None for an object published as is)."""

    key: str
    file_name: str
    content_type: str
    size: int
    etag: str
    sha256: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the ledger knows it at `version`. Times are UTC."""

    id: UUID
    user_id: str
    role: str
    request: Request
    preparer: str
    status: Status
    version: int
    attempt: int
    attempts_used: int
    max_attempts: int
    created_at: datetime
    updated_at: datetime
    progress: Progress = Progress()
    fair_tag: float = 0.0
    handover: int = 0
    handed: bool = False
    retry_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    artefact: Artefact | None = None
    artefact_expires_at: datetime | None = None
    artefact_expired: bool = False
    error: Failure | None = None
    retry_of: UUID | None = None
    batch_id: UUID | None = None
    files: FileStates = NO_FILES

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    def is_available(self, *, now: datetime) -> bool:
        """Whether the artefact can be downloaded at `now`: the job is completed and the artefact has not expired."""
        if self.artefact is None or self.artefact_expired:
            return False
        return self.artefact_expires_at is None or self.artefact_expires_at > now


class Handed(msgspec.Struct, frozen=True):
    """One hand-over of a job to the engine. `handover` counts from 1: the same pair handed over twice is one entry."""

    job_id: UUID
    handover: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed job: what a worker needs to run it and to prove that it still owns it (fencing)."""

    job: Job
    worker: str
    checkpoint: Mapping[str, Any] | None = None

    @property
    def number(self) -> int:
        return self.job.attempt
