"""The consumer's side of the engine: one BullMQ worker, watched and guarded.

The numbers of gaps are those of docs/decisions/0006-bullmq.md; each guard here has a test that shows the fault.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import structlog
from bullmq import UnrecoverableError, Worker

from haulier.engine.entries import OPTIONS, QUEUE, handed_of
from haulier.job import Handed
from haulier.observe.events import ENGINE_ERROR, ENGINE_RESTARTED
from haulier.redis_client import redis_client
from haulier.settings import Secret

log = structlog.get_logger()

BLOCK_S = 2  # below the socket timeout (gap 1): an idle wait never looks like a dead connection
SOCKET_TIMEOUT_S = 5.0
RESTART_S = (0.2, 2.0)
CLOSE_S = 5.0

Handle = Callable[[Handed], Awaitable[None]]


class GivenUp(Exception):
    """A handler's way to say that the job has failed for good: bull-board lists the entry as failed, with this text."""


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
    ) -> None:
        self._url = url
        self._handle = handle
        self._lost = lost
        self._options: dict[str, Any] = {
            "prefix": prefix,
            "name": name,
            "concurrency": slots,
            "autorun": False,
            "drainDelay": BLOCK_S,
            "lockDuration": round(lease_s * 1_000),
            "stalledInterval": round(lease_s * 1_000 / 3),
            "maxStalledCount": 1_000_000,  # gap 9: the ledger counts attempts, BullMQ shall never give up by itself
            "runRetryDelay": round(RESTART_S[1] * 500),
            "removeOnComplete": OPTIONS["removeOnComplete"],
            "removeOnFail": OPTIONS["removeOnFail"],
        }
        self._worker: Worker | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._taking = True
        self.last_error: str | None = None

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
    ) -> AsyncIterator["Runner"]:
        """Take jobs and run `handle` for each during the block.

        Whatever `handle` raises ends that entry only; GivenUp marks it as failed. `lost` is told when BullMQ no longer
        holds a job for us (gap 5). At the end nothing more is taken, and running handlers are cancelled and awaited.
        """
        runner = cls(url, prefix=prefix, name=name, slots=slots, lease_s=lease_s, handle=handle, lost=lost)
        supervision = asyncio.create_task(runner._supervise())
        try:
            yield runner
        finally:
            await runner.stop_taking()
            await runner._cancel_handlers()
            await runner._close()
            supervision.cancel()
            await asyncio.gather(supervision, return_exceptions=True)

    @property
    def healthy(self) -> bool:
        """Whether BullMQ's loop runs, and its last contact with Redis did not fail."""
        return self._worker is not None and self._worker.running and self.last_error is None

    async def stop_taking(self) -> None:
        """Take no more jobs; running handlers go on and keep their locks."""
        self._taking = False
        if self._worker is not None and not self._worker.paused:
            await self._worker.pause(do_not_wait_active=True)

    # ---- supervision (gap 7: BullMQ's loop ends on errors and is not started again)

    async def _supervise(self) -> None:
        wait_s = RESTART_S[0]
        while self._taking:
            started = asyncio.get_running_loop().time()
            await self._run_once()
            if not self._taking:
                return
            if asyncio.get_running_loop().time() - started > RESTART_S[1]:
                wait_s = RESTART_S[0]
            log.warning(ENGINE_RESTARTED, error=self.last_error)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RESTART_S[1])

    async def _run_once(self) -> None:
        client = redis_client(self._url, socket_timeout_s=SOCKET_TIMEOUT_S, decode=True)
        worker = self._worker = Worker(QUEUE, self._process, self._options | {"connection": client})
        worker.on("error", _quiet(self._failed))
        worker.on("lockRenewalFailed", _quiet(self._locks_lost))
        worker.on("active", _quiet(lambda *_: self._well()))
        try:
            await client.ping()  # pyright: ignore[reportGeneralTypeIssues]
            self._well()
            await worker.run()
        except Exception as error:
            self._failed(error)
        finally:
            with suppress(Exception):
                await client.aclose()

    async def _close(self) -> None:
        if self._worker is None:
            return
        try:
            await asyncio.wait_for(self._worker.close(), CLOSE_S)
        except Exception as error:
            log.warning(ENGINE_ERROR, error=type(error).__name__)

    def _well(self) -> None:
        self.last_error = None

    def _failed(self, error: BaseException, *_: Any) -> None:
        self.last_error = type(error).__name__
        log.warning(ENGINE_ERROR, error=self.last_error, detail=str(error)[:200])

    def _locks_lost(self, entries: list[str]) -> None:
        for entry in entries:
            if handed := handed_of(entry):
                self._lost(handed.job_id)

    # ---- one entry

    async def _process(self, entry: Any, _token: str) -> None:
        """Run the handler in a child task: a CancelledError out of here would end BullMQ's whole loop (gap 3)."""
        handed = handed_of(entry.id)
        if handed is None:
            raise UnrecoverableError("not an entry of Haulier's")
        task = asyncio.ensure_future(self._handle(handed))
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        _end(task)

    async def _cancel_handlers(self) -> None:
        for task in self._handlers:
            task.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers)


def _end(task: "asyncio.Future[None]") -> None:
    if task.cancelled():
        raise UnrecoverableError("cancelled")
    error = task.exception()
    if isinstance(error, GivenUp):
        raise UnrecoverableError(str(error))
    if error is not None:
        raise UnrecoverableError(type(error).__name__) from error


def _quiet(listener: Callable[..., None]) -> Callable[..., None]:
    """A listener that never raises: one that does ends lock renewal or the whole loop (gap 4)."""

    def guarded(*arguments: Any) -> None:
        try:
            listener(*arguments)
        except Exception:
            log.exception(ENGINE_ERROR)

    return guarded
