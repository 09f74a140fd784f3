"""The attempts that run in this process: their progress, their leases, and how they are stopped."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import structlog

from haulier.clock import Clock
from haulier.errors import HaulierError
from haulier.job import Attempt, Failure, FileStates, Job, Progress
from haulier.ledger import Attempts, Beat, failure_of
from haulier.observe.events import ATTEMPT_LOST

log = structlog.get_logger()

PROGRESS_INTERVAL_S = 0.5  # at most two progress writes a second, all attempts in one statement


class Stop(Enum):
    """Why an attempt is stopped from outside."""

    LOST = "lost"  # cancelled, or its lease ran out
    DRAINING = "draining"
    TIMEOUT = "timeout"


class AttemptStopped(Exception):
    """Ends a preparer whose attempt was stopped. Not a CancelledError: it crosses threads and uploads."""


class RunningAttempt:
    """One attempt under way. The preparer's task reports here; stopping cancels that task."""

    def __init__(self, attempt: Attempt, *, now_s: float) -> None:
        self.attempt = attempt
        self.progress = Progress()
        self.written = self.progress
        self.build_key: bytes | None = None  # the build that it leads
        self._files = ["p"] * len(attempt.job.request.file_ids)
        self._missing: dict[int, Failure] = {}
        self.beaten_at_s = now_s
        self.unsaved: Mapping[str, Any] | None = None  # the checkpoint that the ledger was not there to take
        self.stop_reason: Stop | None = None
        self.task: asyncio.Task[object] | None = None

    def report(self, *, done: int, total: int | None, stage: str) -> None:
        """Note progress; raises AttemptStopped when the attempt was stopped."""
        self.check()
        self.progress = self.progress.advanced(stage=stage, done=done, total=total)

    def settled(self, index: int, missing: HaulierError | None) -> None:
        """The file at `index` of the batch is in the archive, or is missing for this reason."""
        self._files[index] = "m" if missing else "i"
        if missing:
            self._missing[index] = failure_of(missing)

    @property
    def files(self) -> FileStates:
        return FileStates("".join(self._files), dict(self._missing))

    def check(self) -> None:
        """Raise AttemptStopped when the attempt was stopped: preparers too busy to be cancelled notice it here."""
        if self.stop_reason is not None:
            raise AttemptStopped

    def stop(self, reason: Stop) -> None:
        """Stop the attempt; the first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
            if self.task is not None:
                self.task.cancel()


class RunningAttempts:
    """All attempts of this process, kept alive by one beat for all of them."""

    def __init__(self, attempts: Attempts, *, lease_s: float, heartbeat_s: float, clock: Clock) -> None:
        self._attempts = attempts
        self._lease = timedelta(seconds=lease_s)
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._running: dict[UUID, RunningAttempt] = {}
        self._doubted = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    @contextmanager
    def hold(self, attempt: Attempt) -> Generator[RunningAttempt]:
        """Keep the attempt's lease during the block."""
        running = RunningAttempt(attempt, now_s=self._clock.monotonic())
        self._running[attempt.job.id] = running
        self.idle.clear()
        try:
            yield running
        finally:
            if self._running.get(attempt.job.id) is running:
                del self._running[attempt.job.id]
            if not self._running:
                self.idle.set()

    def __len__(self) -> int:
        return len(self._running)

    def stop(self, job_id: UUID, reason: Stop) -> None:
        """Stop the job's attempt, if it runs here."""
        if running := self._running.get(job_id):
            running.stop(reason)

    def stop_all(self, reason: Stop) -> None:
        """Stop every attempt."""
        for running in list(self._running.values()):
            running.stop(reason)

    def doubt(self, job_id: UUID) -> None:
        """The engine says that it no longer holds the job for us: ask the ledger, which decides, at once."""
        if running := self._running.get(job_id):
            running.beaten_at_s = float("-inf")
            self._doubted.set()

    async def beat(self) -> list[Job]:
        """Write what is due in one statement, stop what was lost, and answer the jobs whose progress changed."""
        now_s = self._clock.monotonic()
        due = [
            running
            for running in self._running.values()
            if running.progress != running.written or now_s - running.beaten_at_s >= self._heartbeat_s
        ]
        if not due:
            return []
        beats = [Beat(running.attempt, running.progress, running.files) for running in due]
        owned = await self._attempts.beat(beats, lease=self._lease)
        changed: list[Job] = []
        for running, beat in zip(due, beats, strict=True):
            job = owned.pop(running.attempt.job.id, None)
            if job is None:
                self._lost(running)
                continue
            if beat.progress != running.written:
                changed.append(job)
            running.written, running.beaten_at_s = beat.progress, now_s
        return [*changed, *owned.values()]  # the rest follows builds that are led here

    def _lost(self, running: RunningAttempt) -> None:
        # An attempt that has just ended by itself is not in the ledger's answer either.
        if self._running.get(running.attempt.job.id) is running:
            log.info(ATTEMPT_LOST, job_id=str(running.attempt.job.id), attempt=running.attempt.number)
            running.stop(Stop.LOST)

    async def until_next_beat(self) -> None:
        """Wait for the next beat: half a second, or until a lease is in doubt."""
        try:
            await asyncio.wait_for(self._doubted.wait(), PROGRESS_INTERVAL_S)
            self._doubted.clear()
        except TimeoutError:
            pass
