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

    `key` is the client's Idempotency-Key, or None for the rule of the same file in an hour, which with `joins` holds
    under a new key as well. `notify` names the channels that are told of the outcome, None those that hear of every
    job.
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
    joins: bool = False
    retry_of: UUID | None = None
    notify: tuple[UUID, ...] | None = None


class _Key(msgspec.Struct, frozen=True):
    """A key as the ledger has it, the hash of what is asked for under it, and whether its living job is joined."""

    text: str
    request_hash: bytes
    joins: bool = True


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
        first, *also = _keys(submission)
        row = await self._database.run(
            SubmissionQueries.submit_job,
            id=submission.id,
            user_id=submission.user_id,
            role=submission.role,
            request=msgspec.to_builtins(submission.request),
            preparer=submission.preparer,
            max_attempts=submission.max_attempts,
            retry_of=submission.retry_of,
            key=first.text,
            request_hash=first.request_hash,
            key_is_explicit=submission.key is not None,
            key_ttl=IMPLICIT_KEY_TTL if submission.key is None else EXPLICIT_KEY_TTL,
            also_keys=[key.text for key in also],
            also_hashes=[key.request_hash for key in also],
            also_joins=[key.joins for key in also],
            also_ttl=IMPLICIT_KEY_TTL,
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


def _keys(submission: Submission) -> list[_Key]:
    """The keys of a request in the order of asking: the client's own, then those that it has without it."""
    digest, retry_of = request_hash(submission.request), submission.retry_of
    # The job of a retry is one that the same request joins, but it joins none but another retry.
    same = [_Key(request_key(digest), digest, joins=retry_of is None)]
    if retry_of is not None:
        same.insert(0, _Key(f"retry:{retry_of}", digest))
    if submission.key is None:
        return same
    asked = with_notify(
        digest if retry_of is None else hashlib.sha256(digest + retry_of.bytes).digest(), submission.notify
    )
    return [_Key(explicit_key(submission.key), asked), *(same if submission.joins else ())]
