"""The transitions of a job: claim, beat, complete, end, cancel. Each is one compare-and-set; None means it was lost."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from haulier.errors import HaulierError, WorkerLost
from haulier.job import NO_FILES, Artefact, Attempt, Failure, FileStates, Handed, Job, Progress
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile, Row
from haulier.ledger.records import job_from
from haulier.provenance import Provenance


class AttemptQueries(QueryFile, file="attempts.sql"):
    claim_job: One
    claimed_job: One
    beat: Many
    save_checkpoint: One
    complete_job: One
    followers: Many
    end_attempt: One
    cancel_job: One
    end_lost_attempts: Many


class Beat(msgspec.Struct, frozen=True):
    """What a running attempt has to tell."""

    attempt: Attempt
    progress: Progress
    files: FileStates = NO_FILES


class Attempts:
    """What workers (and whoever cancels) write. Writes of an attempt that lost its job change nothing (fencing)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, handed: Handed, *, worker: str, lease: timedelta) -> Attempt | None:
        """Start the next attempt; None when the job is no longer there to be claimed by this hand-over."""
        row = await self._database.run(
            AttemptQueries.claim_job, job_id=handed.job_id, handover=handed.handover, worker=worker, lease=lease
        )
        return _attempt(row, worker=worker)

    async def claimed(self, handed: Handed, *, worker: str) -> Attempt | None:
        """The running attempt that `worker` started with this hand-over: after a claim whose answer never came."""
        row = await self._database.run(
            AttemptQueries.claimed_job, job_id=handed.job_id, handover=handed.handover, worker=worker
        )
        return _attempt(row, worker=worker)

    async def beat(self, beats: Sequence[Beat], *, lease: timedelta) -> dict[UUID, Job]:
        """Prolong leases and note progress; the jobs still owned, and those that follow their builds, by id.

        What is missing in the answer was lost.
        """
        rows = await self._database.run(
            AttemptQueries.beat,
            lease=lease,
            job_ids=[beat.attempt.job.id for beat in beats],
            attempts=[beat.attempt.number for beat in beats],
            stages=[beat.progress.stage for beat in beats],
            done=[beat.progress.done for beat in beats],
            total=[beat.progress.total for beat in beats],
            percent=[beat.progress.percent for beat in beats],
            files=[beat.files.states for beat in beats],
            file_errors=[_errors(beat.files) for beat in beats],
        )
        return {row["id"]: job_from(row) for row in rows}

    async def save_checkpoint(self, attempt: Attempt, checkpoint: Mapping[str, Any]) -> bool:
        """Keep state for the next attempt; False when the job was lost."""
        row = await self._database.run(
            AttemptQueries.save_checkpoint, job_id=attempt.job.id, attempt=attempt.number, checkpoint=dict(checkpoint)
        )
        return row is not None

    async def complete(
        self,
        attempt: Attempt,
        artefact: Artefact,
        *,
        files: FileStates = NO_FILES,
        provenance: Provenance | None = None,
    ) -> Job | None:
        """Publish the artefact: from here on it is visible, for the job and for all who follow its build."""
        row = await self._database.run(
            AttemptQueries.complete_job,
            job_id=attempt.job.id,
            attempt=attempt.number,
            key=artefact.key,
            file_name=artefact.file_name,
            content_type=artefact.content_type,
            size=artefact.size,
            etag=artefact.etag,
            sha256=artefact.sha256,
            files=files.states,
            file_errors=_errors(files),
            facts=provenance and msgspec.to_builtins(provenance),
        )
        return job_from(row) if row else None

    async def followers(self, job: Job) -> list[Job]:
        """The jobs that were completed with this one, since they followed its build."""
        return [job_from(row) for row in await self._database.run(AttemptQueries.followers, job_id=job.id)]

    async def fail(self, attempt: Attempt, failure: Failure) -> Job | None:
        """Fail the job for good."""
        return await self._end(attempt, "failed", failure=failure)

    async def retry(self, attempt: Attempt, failure: Failure, *, wait: timedelta) -> Job | None:
        """Queue the job again, to be tried after `wait`."""
        return await self._end(attempt, "retried", failure=failure, wait=wait)

    async def hand_back(self, attempt: Attempt) -> Job | None:
        """Queue the job again at once and give the attempt back (a graceful shutdown)."""
        return await self._end(attempt, "handed_back")

    async def _end(
        self,
        attempt: Attempt,
        outcome: Literal["failed", "retried", "handed_back"],
        *,
        failure: Failure | None = None,
        wait: timedelta = timedelta(),
    ) -> Job | None:
        row = await self._database.run(
            AttemptQueries.end_attempt,
            job_id=attempt.job.id,
            attempt=attempt.number,
            outcome=outcome,
            wait=wait,
            error_code=failure and failure.code,
            error_message=failure and failure.message,
        )
        return job_from(row) if row else None

    async def cancel(self, job_id: UUID, *, user_id: str | None) -> Job | None:
        """Cancel a queued or processing job of `user_id` (None: of anyone)."""
        row = await self._database.run(AttemptQueries.cancel_job, job_id=job_id, user_id=user_id)
        return job_from(row) if row else None

    async def end_lost(self) -> list[Job]:
        """Take jobs from attempts whose lease ran out: queued again, or failed when no attempts remain."""
        lost = failure_of(WorkerLost())
        rows = await self._database.run(
            AttemptQueries.end_lost_attempts, error_code=lost.code, error_message=lost.message
        )
        return [job_from(row) for row in rows]


def _attempt(row: Row | None, *, worker: str) -> Attempt | None:
    return Attempt(job=job_from(row), worker=worker, checkpoint=row["checkpoint"]) if row else None


def _errors(files: FileStates) -> str | None:
    return msgspec.json.encode(files.errors).decode() if files.errors else None


def failure_of(error: HaulierError) -> Failure:
    """What the ledger keeps of an error, and the user sees."""
    return Failure(error.code, error.detail)
