"""The worker's loop over named steps: claim, keep the lease, prepare, publish, commit."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import TypeVar

import structlog

from haulier.errors import HaulierError, LedgerUnavailable, TookTooLong, Unavailable
from haulier.failpoints import Point, reached
from haulier.job import Attempt, Handed, Job, Status
from haulier.ledger import Ledger
from haulier.live import Announcements
from haulier.observe import events
from haulier.settings import Settings
from haulier.storage import Storage
from haulier.work.backoff import backoff
from haulier.work.building import Builder
from haulier.work.desk import Workshop
from haulier.work.outcomes import Done, Failed, Followed, HandedBack, Lost, Outcome, Retried, Shared, outcome_of
from haulier.work.running import AttemptStopped, RunningAttempt, RunningAttempts, Stop

log = structlog.get_logger()

T = TypeVar("T")
LEDGER_RETRY_S = 1.0
STOP_PATIENCE_S = 10.0  # how long a stopped preparer may take to let go before it is left behind


class Worker:
    """Runs handed-over jobs. `name` is unique among all workers; `job_ended` is called when one of them is over."""

    def __init__(
        self,
        *,
        name: str,
        settings: Settings,
        ledger: Ledger,
        storage: Storage,
        workshop: Workshop,
        builder: Builder,
        running: RunningAttempts,
        announcements: Announcements,
        rng: Random,
        job_ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._ledger = ledger
        self._storage = storage
        self._workshop = workshop
        self._builder = builder
        self._running = running
        self._announcements = announcements
        self._rng = rng
        self._job_ended = job_ended

    async def handle(self, handed: Handed) -> None:
        """Run one handed-over job to the end of an attempt."""
        attempt = await self._claim(handed)
        if attempt is None:  # cancelled, finished, claimed elsewhere, or handed over anew
            return
        with structlog.contextvars.bound_contextvars(job_id=str(attempt.job.id), attempt=attempt.number):
            await reached(Point.CLAIMED)
            self._announcements.changed(attempt.job)
            with self._running.hold(attempt) as running:
                outcome = await self._run(running)
                await self._finish(running, outcome)

    async def _claim(self, handed: Handed) -> Attempt | None:
        """Claim, however long the ledger is away: the hand-over's number makes a late claim as good as an early one."""
        attempts = self._ledger.attempts
        lease = timedelta(seconds=self._settings.lease_s)
        is_in_doubt = False
        while True:
            try:
                attempt = await attempts.claim(handed, worker=self.name, lease=lease)
                if attempt is None and is_in_doubt:  # the claim may have been committed although its answer was lost
                    attempt = await attempts.claimed(handed, worker=self.name)
            except LedgerUnavailable:
                if not is_in_doubt:
                    log.warning(events.CLAIM_POSTPONED, job_id=str(handed.job_id))
                is_in_doubt = True
                await asyncio.sleep(LEDGER_RETRY_S)
            else:
                return attempt

    # ---- prepare and publish

    async def _run(self, running: RunningAttempt) -> Outcome:
        """Prepare and publish in a child task, so that stopping the attempt never stops the engine's loop."""
        log.info(events.ATTEMPT_STARTED, preparer=running.attempt.job.preparer)
        task = running.task = asyncio.create_task(self._make(running))
        try:
            async with asyncio.timeout(self._settings.attempt_timeout_s):
                await asyncio.wait({task})
        except TimeoutError:
            running.stop(Stop.TIMEOUT)
        except asyncio.CancelledError:  # the process ends sooner than the grace time
            running.stop(Stop.DRAINING)
        if running.stop_reason is not None:
            await self._let_go(task)
            return await self._stopped(running, task)
        return task.result()

    async def _make(self, running: RunningAttempt) -> Outcome:
        job = running.attempt.job
        try:
            prepared = await self._workshop.prepare_attempt(running, self._ledger.attempts)
            outcome = await self._builder.make(prepared, running, patiently=self._patiently)
            await reached(Point.STORED)
        except AttemptStopped:
            return Lost()
        except HaulierError as error:
            log.info(events.ATTEMPT_ERROR, code=error.code, detail=error.detail)
            return outcome_of(error, job=job)
        except Exception as error:
            log.exception(events.ATTEMPT_CRASHED)
            return outcome_of(error, job=job)
        return outcome

    async def _let_go(self, task: "asyncio.Task[Outcome]") -> None:
        """Wait for a stopped preparer; one that ignores its cancellation is left to end by itself."""
        await asyncio.wait({task}, timeout=STOP_PATIENCE_S)

    async def _stopped(self, running: RunningAttempt, task: "asyncio.Task[Outcome]") -> Outcome:
        finished = task.result() if task.done() and not task.cancelled() else None
        if isinstance(finished, Shared | Followed):
            return finished  # the ledger has it already
        if isinstance(finished, Done):
            return finished  # it was faster than its stop; the ledger decides whether that counts
        if running.stop_reason is Stop.DRAINING:
            return HandedBack()
        if running.stop_reason is Stop.TIMEOUT:
            return outcome_of(TookTooLong(limit_s=round(self._settings.attempt_timeout_s)), job=running.attempt.job)
        return Lost()

    # ---- commit

    async def _finish(self, running: RunningAttempt, outcome: Outcome) -> None:
        """Write the outcome, however long the ledger is away; the lease's fencing makes a late write harmless."""
        job = await self._patiently(lambda: self._commit(running, outcome))
        if job is None:
            log.info(events.ATTEMPT_LOST)
        else:
            await reached(Point.COMMITTED)
            log.info(_EVENT_OF[type(outcome)], status=job.status.value)
            self._announcements.changed(job)
            self._announcements.nudge()
            if job.is_terminal:
                self._job_ended()
        await self._clear_up(running, outcome, job)

    async def _clear_up(self, running: RunningAttempt, outcome: Outcome, job: Job | None) -> None:
        """Tell who followed the build, or remove what nobody will use. The sweep repairs what goes wrong here."""
        made = outcome.artefact if isinstance(outcome, Done) else None
        try:
            if job is None or job.status in (Status.FAILED, Status.CANCELLED):
                await self._builder.remove(running, made)
            elif made is not None and running.build_key is not None:
                for follower in await self._ledger.attempts.followers(job):
                    self._announcements.changed(follower)
        except Unavailable as error:
            log.warning(events.LOOP_DEPENDENCY_AWAY, loop="clear_up", code=error.code)

    async def _commit(self, running: RunningAttempt, outcome: Outcome) -> Job | None:
        attempts, attempt = self._ledger.attempts, running.attempt
        if running.unsaved is not None and isinstance(outcome, Retried | HandedBack):
            await attempts.save_checkpoint(attempt, running.unsaved)
        match outcome:
            case Done(artefact, provenance):
                job = await attempts.complete(attempt, artefact, files=running.files, provenance=provenance)
                return job or await self._completed_before(attempt)
            case Shared():
                return await self._completed_before(attempt)
            case Followed():
                return await self._ledger.jobs.get(attempt.job.id)
            case Failed(failure):
                return await attempts.fail(attempt, failure)
            case Retried(failure):
                return await attempts.retry(attempt, failure, wait=backoff(attempt.job.attempts_used, self._rng))
            case HandedBack():
                return await attempts.hand_back(attempt)
            case Lost():
                return None

    async def _completed_before(self, attempt: Attempt) -> Job | None:
        """The job, when this very attempt's completion was committed although its answer was lost on the way."""
        job = await self._ledger.jobs.get(attempt.job.id)
        return job if job and job.status is Status.COMPLETED and job.attempt == attempt.number else None

    async def _patiently(self, write: Callable[[], Awaitable[T]]) -> T:
        """Repeat `write` until the ledger answers: each of them is fenced, so that a late one does no harm."""
        while True:
            try:
                return await write()
            except LedgerUnavailable:
                log.warning(events.COMMIT_POSTPONED)
                await asyncio.sleep(LEDGER_RETRY_S)


_EVENT_OF: dict[type[Outcome], str] = {
    Done: events.ATTEMPT_COMPLETED,
    Shared: events.ATTEMPT_SHARED,
    Followed: events.ATTEMPT_FOLLOWS,
    Failed: events.ATTEMPT_FAILED,
    Retried: events.ATTEMPT_RETRIED,
    HandedBack: events.ATTEMPT_HANDED_BACK,
    Lost: events.ATTEMPT_LOST,
}
