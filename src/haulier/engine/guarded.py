"""BullMQ's worker with guards around what it does by itself. The numbers are those of docs/decisions/0006-bullmq.md."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

import redis.asyncio
import structlog
from bullmq import Job, Worker
from redis.exceptions import RedisError

from haulier.engine.contact import Contact
from haulier.engine.entries import QUEUE
from haulier.observe.events import ENGINE_ERROR

log = structlog.get_logger()

BLOCK_S = 2  # below the socket timeout (gap 1): an idle wait never looks like a dead connection
FETCHES = 4  # at a time: a worker of 50 slots would ask an empty queue 50 times after each job
HEAD_START_S = 0.001  # of the job that ended an idle time; its handler would wait 1.5 ms for its siblings' fetches
PAUSE_S = 0.5  # between calls to a Redis that does not answer
RECLAIM_AFTER_S = 0.5
END_S = 5.0

Process = Callable[[Job, str], Coroutine[Any, Any, None]]


class GuardedWorker(Worker):
    """One life of BullMQ's loop, from run() to end(). `doubtful` are tokens of fetches whose answer never came."""

    def __init__(
        self,
        process: Process,
        options: dict[str, Any],
        *,
        client: "redis.asyncio.Redis",
        contact: Contact,
        doubtful: set[str],
    ) -> None:
        opts: Any = options | {"connection": client, "autorun": False, "drainDelay": BLOCK_S}
        super().__init__(QUEUE, cast(Any, process), opts)
        self._redis = client
        self._contact = contact
        self._doubtful = doubtful
        self._numbers = itertools.count(1)
        self._fetching = asyncio.Semaphore(FETCHES)
        self._idle: asyncio.Event | None = None
        self._reclaiming: asyncio.Task[None] | None = None

    @property
    def maximumBlockTimeout(self) -> float:  # noqa: N802  BullMQ's name
        """A delayed entry of somebody else's must not lift the wait above the socket timeout (gap 1)."""
        return BLOCK_S

    def emit(self, event_name: str, *args: Any, **kwargs: Any) -> None:
        """A listener that raises would end lock renewal or the whole loop (gap 4)."""
        try:
            super().emit(event_name, *args, **kwargs)
        except Exception:
            log.exception(ENGINE_ERROR, listener=event_name)

    async def getNextJob(self, token: str) -> Job | None:  # noqa: N802  BullMQ's name
        """The next entry, or None once paused. Never raises: BullMQ's own retries would spin when closing (3.4.4).

        `token` is not used: BullMQ gives the same one to all fetches of a round (3.4.4, late binding in a closure).
        """
        token = f"{self.id}:{next(self._numbers)}"
        while not self.paused:
            if self._idle is not None:
                await self._idle.wait()
            elif self.drained:
                self._idle = asyncio.Event()
                try:
                    job = await self._fetched(token)
                finally:
                    asyncio.get_running_loop().call_later(HEAD_START_S, self._idle.set)
                    self._idle = None
                if job is not None:
                    return job
            else:
                async with self._fetching:
                    job = None if self.drained else await self._fetched(token)
                if job is not None:
                    return job
        return None

    async def put_back(self, entry: Any, token: str) -> None:
        """Return an active entry to the head of the queue. When that fails, it comes back as its lock runs out."""
        with suppress(Exception):
            await self.backend.retryJob(entry, lifo=True, token=token)

    async def end(self, run: "asyncio.Task[None]") -> None:
        """Stop the loop and whatever BullMQ started beside it, however stuck it is. Handlers are not touched.

        Not by close(): that stops renewing locks at once, and never returns while Redis is away (3.4.4).
        """
        tasks = {run, *([self._reclaiming] if self._reclaiming else [])}
        timer = getattr(self, "stalledCheckTimer", None)
        if timer is not None:
            tasks.add(timer._task)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=END_S)

    async def _fetched(self, token: str) -> Job | None:
        try:
            job = await super().getNextJob(token)
        except asyncio.CancelledError:
            self._doubtful.add(token)
            raise
        except Exception as error:
            if self.isConnectionError(error):
                self._doubtful.add(token)
            self._contact.failed(error)
            await asyncio.sleep(PAUSE_S)
            return None
        finally:
            self._contact.sign()
        self._contact.well()
        if self._doubtful and (self._reclaiming is None or self._reclaiming.done()):
            self._reclaiming = asyncio.create_task(self._reclaim())
        if job is not None and self.paused:  # fetched while we were told to take no more
            await self.put_back(job.id, token)
            return None
        return job

    async def _reclaim(self) -> None:
        """Put back what Redis gave us in an answer that was lost; it would wait for its lock to run out.

        A server that was stuck runs our old commands once it goes on; by then `_fetched` has had a newer answer.
        """
        await asyncio.sleep(RECLAIM_AFTER_S)
        tokens = set(self._doubtful)
        redis: Any = self._redis
        try:
            entries = await redis.lrange(self.backend.toKey("active"), 0, -1)
            locks = await redis.mget([f"{self.backend.toKey(entry)}:lock" for entry in entries]) if entries else []
        except (RedisError, OSError):
            return
        for entry, lock in zip(entries, locks, strict=True):
            if lock in tokens:
                await self.put_back(entry, lock)
        self._doubtful -= tokens
