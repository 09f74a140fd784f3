"""Dead letters: jobs that failed for good, their attempts, and which of them to retry."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from haulier.job import Failure, Job, Status
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile, Row
from haulier.ledger.records import job_from


class DeadLetterQueries(QueryFile, file="dead_letters.sql"):
    dead_letters: Many
    dead_letter: One
    latest_dead_letters: Many
    attempts_of_job: Many


class LetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which failed jobs; None does not filter. `since` counts, `until` does not; both are about the failure's time."""

    user_id: str | None = None
    code: str | None = None
    preparer: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    retried: bool | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A failed job. `role_today` is its user's role at their latest request.

    `retried_as` is the latest job that took its place: its own retry, or a later retry of the job it retried itself.
    """

    job: Job
    role_today: str
    retried_as: UUID | None = None
    retry_status: Status | None = None


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it was. `ended_at` and `outcome` are None while it runs."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: Failure | None


class DeadLetters:
    """Queries about failed jobs; nothing here changes one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: LetterFilter, *, limit: int, before: tuple[datetime, UUID] | None = None
    ) -> list[DeadLetter]:
        """The letters that match, latest failure first; `before` is time and id of the last one seen."""
        before_at, before_id = before or (None, None)
        rows = await self._database.run(
            DeadLetterQueries.dead_letters,
            **msgspec.structs.asdict(wanted),
            before_at=before_at,
            before_id=before_id,
            count=limit,
        )
        return [_letter(row) for row in rows]

    async def get(self, job_id: UUID) -> DeadLetter | None:
        """The letter; None when there is no such job, or it did not fail."""
        row = await self._database.run(DeadLetterQueries.dead_letter, job_id=job_id)
        return _letter(row) if row else None

    async def latest(self, job_ids: Sequence[UUID]) -> dict[UUID, DeadLetter]:
        """The last failure in the chain of each job's retries, by the id asked for; without those that did not fail."""
        rows = await self._database.run(DeadLetterQueries.latest_dead_letters, job_ids=job_ids)
        return {row["asked"]: _letter(row) for row in rows}

    async def attempts(self, job_id: UUID) -> list[AttemptRecord]:
        """What was tried, in order."""
        rows = await self._database.run(DeadLetterQueries.attempts_of_job, job_id=job_id)
        return [
            AttemptRecord(
                number=row["number"],
                worker=row["worker"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                outcome=row["outcome"],
                error=Failure(row["error_code"], row["error_message"]) if row["error_code"] else None,
            )
            for row in rows
        ]


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(
        job=job_from(row),
        role_today=row["role_today"],
        retried_as=row["retried_as"],
        retry_status=Status(row["retry_status"]) if row["retry_status"] else None,
    )
