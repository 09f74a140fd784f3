"""Telling the engine of fresh and cancelled jobs, without making a client wait for Redis.

All of it is best effort: the dispatcher reconciles engine and ledger, so what is dropped here is late, never lost.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from haulier.engine import Engine
from haulier.errors import EngineUnavailable
from haulier.job import Handed
from haulier.live import Announcements
from haulier.observe.events import HAND_OVER_POSTPONED
from haulier.tasks import background, repeat

log = structlog.get_logger()

PENDING_LIMIT = 10_000
BATCH = 200
FLUSH_TIMEOUT_S = 2.0


class Handovers:
    """Hand-overs and removals of this process, in order, many at a time."""

    def __init__(self, engine: Engine, announcements: Announcements) -> None:
        self._engine = engine
        self._announcements = announcements
        self._fresh: list[Handed] = []
        self._over: list[Handed] = []
        self._wake = asyncio.Event()

    def hand_over(self, handed: Handed) -> None:
        """The ledger has marked this job as handed over: give it to the engine."""
        if len(self._fresh) < PENDING_LIMIT:
            self._fresh.append(handed)
            self._wake.set()

    def remove(self, handed: Handed) -> None:
        """The job was cancelled: its entry in the engine is waste."""
        if len(self._over) < PENDING_LIMIT:
            self._over.append(handed)
            self._wake.set()

    def nudge(self) -> None:
        """A job waits in the ledger: the dispatcher shall look."""
        self._announcements.nudge()

    async def flush(self) -> None:
        """Hand over and remove what is pending. Never raises EngineUnavailable: the dispatcher makes up for it."""
        while self._fresh or self._over:
            fresh, self._fresh = self._fresh[:BATCH], self._fresh[BATCH:]
            over, self._over = self._over[:BATCH], self._over[BATCH:]
            try:
                if fresh:
                    await self._engine.hand_over(fresh)
                for handed in over:
                    await self._engine.remove(handed)
            except EngineUnavailable as error:
                log.warning(HAND_OVER_POSTPONED, jobs=len(fresh), code=error.code)

    async def _step(self) -> float:
        await self._wake.wait()
        self._wake.clear()
        await self.flush()
        return 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Work during the block; what is pending at its end gets FLUSH_TIMEOUT_S."""
        async with background(repeat(self._step, name="hand_over")):
            yield
        try:
            await asyncio.wait_for(self.flush(), FLUSH_TIMEOUT_S)
        except TimeoutError:
            log.warning(HAND_OVER_POSTPONED, jobs=len(self._fresh), code="timeout")
