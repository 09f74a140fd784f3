"""Admitting requests: the one way a job comes into being."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from haulier.job import Job, Request
from haulier.ledger.database import Database
from haulier.ledger.queryfile import One, QueryFile
from haulier.ledger.records import job_from
from haulier.limits import RoleLimits

EXPLICIT_KEY_TTL = timedelta(days=1)
IMPLICIT_KEY_TTL = timedelta(hours=1)  # the contract's hour in which the same file is the same job


class SubmissionQueries(QueryFile, file="submissions.sql"):
    submit_job: One


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A request to admit; its file is kept for `keep_for`.

    `key` is the client's Idempotency-Key, or None for the rule of the same file in an hour. `notify` names the channels
    that are told of the outcome, None those that hear of every job.
    """

    id: UUID
    user_id: str
    role: str
    request: Request
    preparer: str
    max_attempts: int
    limits: RoleLimits
    keep_for: timedelta = timedelta(days=1)
    key: str | None = None
    retry_of: UUID | None = None
    notify: tuple[UUID, ...] | None = None


class Allowance(msgspec.Struct, frozen=True):
    """How much of a limit is used, and when it starts anew."""

    used: int
    resets_at: datetime


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a submission. `job` is set for created and joined."""

    outcome: Literal["created", "joined", "mismatch", "rate_limited", "quota_exceeded"]
    job: Job | None = None
    rate: Allowance | None = None
    quota: Allowance | None = None


class Submissions:
    """Admits requests, each in one statement and one commit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def submit(self, submission: Submission) -> Admission:
        """Create the job, join an existing one, or say why not. After the answer the job is durable."""
        row = await self._database.run(
            SubmissionQueries.submit_job,
            id=submission.id,
            user_id=submission.user_id,
            role=submission.role,
            request=msgspec.to_builtins(submission.request),
            preparer=submission.preparer,
            max_attempts=submission.max_attempts,
            retry_of=submission.retry_of,
            key=_key(submission),
            request_hash=_hash(submission),
            key_is_explicit=submission.key is not None,
            key_ttl=IMPLICIT_KEY_TTL if submission.key is None else EXPLICIT_KEY_TTL,
            rate=submission.limits.rate_per_minute,
            quota=submission.limits.quota_per_day,
            running=submission.limits.running,
            role_running=submission.limits.role_running,
            weight=submission.limits.weight,
            keep_for=submission.keep_for,
            notify=submission.notify,
        )
        assert row is not None
        admitted = row["outcome"] in ("created", "joined")
        return Admission(
            outcome=row["outcome"],
            job=job_from(row["job"]) if admitted else None,
            rate=allowance(row["rate_used"], row["rate_resets_at"]),
            quota=allowance(row["quota_used"], row["quota_resets_at"]),
        )


def allowance(used: int | None, resets_at: datetime | None) -> Allowance | None:
    """An allowance of a row; None where nothing is limited or used yet."""
    return None if used is None or resets_at is None else Allowance(used, resets_at)


def request_hash(request: Request) -> bytes:
    """SHA-256 of the request's canonical JSON: equal for equal requests, whatever the spelling of the body."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).digest()


def with_notify(digest: bytes, notify: Sequence[UUID] | None) -> bytes:
    """The hash of a request under a key of the client's own: there another choice of channels is another request.

    Without such a key it is not: the same file is the same job, and whoever asks for it is told.
    """
    if notify is None:
        return digest
    return hashlib.sha256(digest + b"notify" + b"".join(sorted(channel.bytes for channel in notify))).digest()


def batch_hash(requests: Sequence[Request]) -> bytes:
    """SHA-256 of a request for one job a file: never that of a request for one of them, or for all as one archive."""
    return hashlib.sha256(b"jobs" + b"".join(request_hash(request) for request in requests)).digest()


def explicit_key(key: str) -> str:
    """The key of a client's Idempotency-Key."""
    return f"key:{key}"


def request_key(digest: bytes) -> str:
    """The key of a request without one, by its hash: the same request within an hour is the same job."""
    return f"request:{digest.hex()}"


def _hash(submission: Submission) -> bytes:
    digest = request_hash(submission.request)
    return digest if submission.key is None else with_notify(digest, submission.notify)


def _key(submission: Submission) -> str:
    if submission.key is not None:
        return explicit_key(submission.key)
    if submission.retry_of is not None:
        return f"retry:{submission.retry_of}"
    return request_key(request_hash(submission.request))
