"""The consumer's side of the engine: BullMQ's worker, supervised, and our handlers beside it.

The numbers of gaps are those of docs/decisions/0006-bullmq.md; each guard has a test that shows the fault.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import structlog
from bullmq import Job, UnrecoverableError
from bullmq.custom_errors import DelayedError

from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.engine.contact import Contact, RunnerState
from haulier.engine.entries import handed_of, worker_options
from haulier.engine.guarded import GuardedWorker
from haulier.errors import HaulierError
from haulier.job import Handed
from haulier.observe.events import ENGINE_ERROR, ENGINE_RESTARTED
from haulier.redis_client import redis_client
from haulier.settings import Secret
from haulier.tasks import background

log = structlog.get_logger()

SOCKET_TIMEOUT_S = 5.0
CONNECTIONS = 16
RESTART_S = (0.2, 2.0)
LOOK_S = 1.0
STUCK_S = 15.0  # above the longest honest silence: connecting and one call, each up to its timeout
SETTLE_S = 5.0
CANCEL_AGAIN_S = 15.0  # above the time that a worker gives a stopped preparer to let go

Handle = Callable[[Handed], Awaitable[None]]


class GivenUp(Exception):
    """A handler's way to say that the job has failed for good: bull-board lists the entry as failed, with this text."""


class LoopEnded(Exception):
    """BullMQ's loop ended by itself."""


class LoopStuck(Exception):
    """BullMQ's loop has neither taken nor asked for a job although a slot is free."""


class Runner:
    """Runs hand-overs in `slots` at a time for as long as it is open, through outages of Redis."""

    def __init__(
        self,
        url: Secret,
        *,
        prefix: str,
        name: str,
        slots: int,
        lease_s: float,
        handle: Handle,
        lost: Callable[[UUID], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._url = url
        self._handle = handle
        self._lost = lost
        self._clock = clock
        self._options = worker_options(prefix=prefix, name=name, slots=slots, lease_s=lease_s)
        self._slots = asyncio.Semaphore(slots)
        self._contact = Contact(clock)
        self._doubtful: set[str] = set()
        self._worker: GuardedWorker | None = None
        self._handlers: dict[Handed, asyncio.Task[None]] = {}
        self._taking = True
        self._ending = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: Secret,
        *,
        prefix: str,
        name: str,
        slots: int,
        lease_s: float,
        handle: Handle,
        lost: Callable[[UUID], None] = lambda _: None,
    ) -> AsyncGenerator["Runner"]:
        """Take jobs and run `handle` for each during the block. Opens although Redis is away.

        Whatever `handle` raises ends that entry only; GivenUp marks it as failed. Handlers go on through outages; an
        entry that comes back meanwhile joins the handler that already runs. `lost` is told when BullMQ no longer holds
        a job for us (gap 5). At the end nothing more is taken, running handlers are cancelled and awaited, and their
        entries go back to the queue.
        """
        runner = cls(url, prefix=prefix, name=name, slots=slots, lease_s=lease_s, handle=handle, lost=lost)
        async with background(runner._supervise()):
            try:
                yield runner
            finally:
                await runner._wind_up()

    @property
    def state(self) -> RunnerState:
        """For health: whether jobs are being taken, and if not why and since when."""
        return self._contact.state

    @property
    def healthy(self) -> bool:
        """Whether Redis answered the last call, and jobs are being taken."""
        return self.state.running

    async def stop_taking(self) -> None:
        """Take no more jobs; running handlers go on and keep their locks."""
        self._taking = False
        self._contact.stopped()
        if self._worker is not None:
            await self._worker.pause(do_not_wait_active=True)

    # ---- supervision (gap 7: BullMQ's loop ends on errors and is not started again)

    async def _supervise(self) -> None:
        pause_s = RESTART_S[0]
        while self._taking:
            began_s = self._clock.monotonic()
            await self._live()
            if self._clock.monotonic() - began_s > RESTART_S[1]:
                pause_s = RESTART_S[0]
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RESTART_S[1])

    async def _live(self) -> None:
        """One worker of BullMQ's from its start to its death. Handlers that run when it dies go on."""
        client = redis_client(self._url, socket_timeout_s=SOCKET_TIMEOUT_S, decode=True, connections=CONNECTIONS)
        try:
            await client.ping()  # pyright: ignore[reportGeneralTypeIssues]
            self._contact.well()
            self._worker = GuardedWorker(
                self._process, self._options, client=client, contact=self._contact, doubtful=self._doubtful
            )
            self._worker.on("lockRenewalFailed", self._locks_lost)
            self._worker.on("locksRenewed", self._locks_renewed)
            self._worker.on("error", self._error)
            self._contact.sign()
            if not self._taking:
                return
            await self._watch(self._worker)
        except Exception as error:
            self._contact.failed(error)
            if self._worker is not None:
                log.warning(ENGINE_RESTARTED, error=type(error).__name__)
        finally:
            self._worker = None
            with suppress(Exception):
                await client.aclose()

    async def _watch(self, worker: GuardedWorker) -> None:
        """Run BullMQ's loop until it ends, or has been silent for so long that it must be stuck."""
        run = asyncio.create_task(worker.run())
        try:
            while not run.done():
                await asyncio.wait({run}, timeout=LOOK_S)
                if self._taking and self._contact.silent_s > STUCK_S and not self._slots.locked():
                    raise LoopStuck
            raise LoopEnded from (None if run.cancelled() else run.exception())
        finally:
            await worker.end(run)

    def _locks_renewed(self, _: object) -> None:
        self._contact.well()

    def _error(self, error: Exception, *_: Any) -> None:
        if self._worker is not None and self._worker.isConnectionError(error):
            self._contact.failed(error)
        else:
            log.warning(ENGINE_ERROR, error=type(error).__name__, detail=str(error)[:200])

    def _locks_lost(self, entries: list[str]) -> None:
        for entry in entries:
            if handed := handed_of(entry):
                self._lost(handed.job_id)

    # ---- one entry

    async def _process(self, entry: Job, token: str) -> None:
        """Await the handler in a task of its own: a CancelledError out of here ends BullMQ's whole loop (gap 3)."""
        handed = handed_of(str(entry.id))
        if handed is None:
            raise UnrecoverableError("not an entry of Haulier's")
        handler = self._handlers.get(handed)
        if handler is None and not self._taking:
            await self._return(entry, token)
        if handler is None:
            handler = self._handlers[handed] = asyncio.create_task(self._run(handed))
            handler.add_done_callback(lambda ended: self._ended(handed, ended))
        await asyncio.wait({handler})  # cancelled, we leave the handler alone: BullMQ's loop is over, not the job
        self._contact.sign()
        if self._ending and handler.cancelled():
            await self._return(entry, token)
        _end(handler)

    async def _run(self, handed: Handed) -> None:
        async with self._slots:  # a handler that outlived its loop still holds its slot
            await self._handle(handed)

    def _ended(self, handed: Handed, handler: "asyncio.Task[None]") -> None:
        del self._handlers[handed]
        error = None if handler.cancelled() else handler.exception()
        if error is not None and not isinstance(error, GivenUp):
            detail = None if isinstance(error, HaulierError) else error
            log.warning(ENGINE_ERROR, job_id=str(handed.job_id), error=type(error).__name__, exc_info=detail)

    async def _return(self, entry: Any, token: str) -> None:
        """Give the entry back to the queue for another worker, and tell BullMQ that it is dealt with."""
        if self._worker is not None:
            await self._worker.put_back(entry.id, token)
        raise DelayedError

    # ---- the end

    async def _wind_up(self) -> None:
        self._ending = True
        await self.stop_taking()
        handlers = set(self._handlers.values())
        while handlers:
            for handler in handlers:
                handler.cancel()
            _, handlers = await asyncio.wait(handlers, timeout=CANCEL_AGAIN_S)
        if self._worker is not None and self._worker.processing:  # BullMQ writes down how the entries ended
            await asyncio.wait(self._worker.processing, timeout=SETTLE_S)


def _end(handler: "asyncio.Task[None]") -> None:
    """Return for a completed entry, raise for a failed one."""
    if handler.cancelled():
        raise UnrecoverableError("cancelled")
    error = handler.exception()
    if isinstance(error, GivenUp):
        raise UnrecoverableError(str(error))
    if error is not None:
        raise UnrecoverableError(type(error).__name__) from error
