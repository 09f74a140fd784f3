"""Batches: one request for one job a file."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from haulier.job import Job, Request, Status
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile
from haulier.ledger.records import job_from
from haulier.ledger.submissions import (
    EXPLICIT_KEY_TTL,
    IMPLICIT_KEY_TTL,
    Allowance,
    allowance,
    batch_hash,
    explicit_key,
    request_hash,
    request_key,
    with_notify,
)
from haulier.limits import RoleLimits


class BatchQueries(QueryFile, file="batches.sql"):
    submit_batch: Many
    batch_by_id: One
    jobs_of_batch: Many
    page_of_batch: Many
    count_jobs_of_batch: One
    cancel_batch: Many


class BatchFile(msgspec.Struct, frozen=True):
    """One file of a batch: the id of its job unless it joins another, what is asked for, and who prepares it."""

    id: UUID
    request: Request
    preparer: str


class BatchSubmission(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one job a file, no two of them for the same. `key` is the client's Idempotency-Key or None."""

    id: UUID
    user_id: str
    role: str
    files: Sequence[BatchFile]
    max_attempts: int
    limits: RoleLimits
    keep_for: timedelta = timedelta(days=1)
    key: str | None = None
    notify: tuple[UUID, ...] | None = None


class BatchAdmission(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. `batch_id` and `jobs` are set for created and joined; `joined` has a flag for each job.

    `needed` is how many jobs would be, or were, new.
    """

    outcome: Literal["created", "joined", "mismatch", "rate_limited", "quota_exceeded"]
    batch_id: UUID | None = None
    jobs: tuple[Job, ...] = ()
    joined: tuple[bool, ...] = ()
    rate: Allowance | None = None
    quota: Allowance | None = None
    needed: int = 0


class Batch(msgspec.Struct, frozen=True):
    """A batch. `counts` has its jobs by status; the sum is below `total` once the first of them were forgotten."""

    id: UUID
    user_id: str
    total: int
    counts: dict[Status, int]
    created_at: datetime


class Batches:
    """Admits, reads and cancels batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def submit(self, submission: BatchSubmission) -> BatchAdmission:
        """Create or join a job for each file, or none of them; in one statement and one commit."""
        requests = [file.request for file in submission.files]
        hashes = [request_hash(request) for request in requests]
        rows = await self._database.run(
            BatchQueries.submit_batch,
            batch_id=submission.id,
            user_id=submission.user_id,
            role=submission.role,
            max_attempts=submission.max_attempts,
            ids=[file.id for file in submission.files],
            requests=[msgspec.json.encode(request).decode() for request in requests],
            preparers=[file.preparer for file in submission.files],
            keys=[request_key(digest) for digest in hashes],
            hashes=hashes,
            file_key_ttl=IMPLICIT_KEY_TTL,
            key=None if submission.key is None else explicit_key(submission.key),
            request_hash=with_notify(batch_hash(requests), submission.notify),
            key_ttl=EXPLICIT_KEY_TTL,
            rate=submission.limits.rate_per_minute,
            quota=submission.limits.quota_per_day,
            running=submission.limits.running,
            weight=submission.limits.weight,
            role_running=submission.limits.role_running,
            keep_for=submission.keep_for,
            notify=submission.notify,
        )
        first = rows[0]
        admitted = first["outcome"] in ("created", "joined")
        return BatchAdmission(
            outcome=first["outcome"],
            batch_id=first["batch_id"],
            jobs=tuple(job_from(row["job"]) for row in rows) if admitted else (),
            joined=tuple(row["joined"] for row in rows) if admitted else (),
            rate=allowance(first["rate_used"], first["rate_resets_at"]),
            quota=allowance(first["quota_used"], first["quota_resets_at"]),
            needed=first["quota_needed"],
        )

    async def get(self, batch_id: UUID) -> Batch | None:
        row = await self._database.run(BatchQueries.batch_by_id, batch_id=batch_id)
        if row is None:
            return None
        counts = msgspec.convert(row["counts"] or {}, dict[Status, int])
        return Batch(row["id"], row["user_id"], len(row["job_ids"]), counts, row["created_at"])

    async def jobs(self, batch_id: UUID) -> list[Job]:
        """All jobs of a batch that are still known, in the order of its request."""
        return [job_from(row) for row in await self._database.run(BatchQueries.jobs_of_batch, batch_id=batch_id)]

    async def page(
        self, batch_id: UUID, *, status: Status | None, limit: int, skip: int = 0, before: UUID | None = None
    ) -> list[Job]:
        """Jobs of a batch, newest first; `before` continues behind that job, `skip` leaves out the newest."""
        rows = await self._database.run(
            BatchQueries.page_of_batch, batch_id=batch_id, status=status, before=before, skip=skip, count=limit
        )
        return [job_from(row) for row in rows]

    async def count(self, batch_id: UUID, *, status: Status | None) -> int:
        row = await self._database.run(BatchQueries.count_jobs_of_batch, batch_id=batch_id, status=status)
        assert row is not None
        return row["total"]

    async def cancel(self, batch_id: UUID) -> list[Job]:
        """Cancel what is not over of the jobs that the batch made; the cancelled ones."""
        return [job_from(row) for row in await self._database.run(BatchQueries.cancel_batch, batch_id=batch_id)]
