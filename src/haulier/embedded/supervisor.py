"""Keeps children running: one that dies is started again, after a pause that grows while it keeps dying."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.embedded.process import Child, Command
from haulier.errors import ConfigurationError
from haulier.observe.events import CHILD_DIED, CHILD_STARTED, CHILD_STOPPED

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STABLE_S = 30.0

log = structlog.get_logger()


class Backoff:
    """Pauses before restarts: 0.5 s, doubled each time up to 30 s; a life of 30 s begins anew."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def pause_s(self, *, lived_s: float) -> float:
        """The pause after a child that lived for `lived_s`."""
        if lived_s >= STABLE_S:
            self._next_s = FIRST_PAUSE_S
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return pause_s


class Kept:
    """One child that a supervisor keeps running, as others see it."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.pid: int | None = None
        self.deaths = 0
        self.last_words = ""

    def died(self, words: str) -> None:
        """Record an end that nobody asked for."""
        self.pid = None
        self.deaths += 1
        self.last_words = words


class Supervisor:
    """Owns children for the length of an `async with` block; at its end they are stopped together.

    Nest supervisors to stop in order: the inner one's children end before the outer one's.
    """

    def __init__(
        self,
        *,
        hurry: asyncio.Event | None = None,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`hurry`, once set, cuts every grace time short."""
        self._hurry = hurry or asyncio.Event()
        self._clock = clock
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []

    def keep(self, command: Command) -> Kept:
        """Start a child, and again each time it dies until the block ends."""
        kept = Kept(command)
        self._tasks.append(asyncio.create_task(self._run(kept), name=f"keep {command.name}"))
        return kept

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, kept: Kept) -> None:
        backoff = Backoff()
        name = kept.command.name
        while True:
            started_at = self._clock.monotonic()
            try:
                child = await Child.start(kept.command)
            except (OSError, ConfigurationError) as error:
                kept.died(str(error))
            else:
                await self._life(kept, child)
            pause_s = backoff.pause_s(lived_s=self._clock.monotonic() - started_at)
            log.warning(CHILD_DIED, name=name, reason=kept.last_words, restart_in_s=pause_s)
            await self._sleep(pause_s)

    async def _life(self, kept: Kept, child: Child) -> None:
        """Until the child dies by itself; cancelled, the child is stopped."""
        kept.pid = child.pid
        log.info(CHILD_STARTED, name=kept.command.name, pid=child.pid)
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            code = await child.stop(hurry=self._hurry)
            log.info(CHILD_STOPPED, name=kept.command.name, code=code)
            raise
        kept.died(f"exit code {code}" if code >= 0 else f"killed by signal {-code}")
