"""Noticing that the event loop stands still, while it does: a thread watches a pulse that the loop gives.

A preparer that computes on the event loop holds up the heartbeats of all its neighbours: their leases run out. The log
says for how long and where, so that the guilty line can be moved to a thread.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from haulier.clock import Clock
from haulier.observe.events import LOOP_STALL_OVER, LOOP_STALLED

log = structlog.get_logger()

PULSE_S = 0.1
LIMIT_S = 1.0
RECENT_S = 60.0
FRAMES = 4


class Stalls:
    """What the watch has seen. Written by its thread, read by health checks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pulse_s = clock.monotonic()
        self._stalled_since_s: float | None = None
        self._ended_s = float("-inf")
        self.count = 0
        self.last_s = 0.0

    @property
    def recent(self) -> str:
        """A sentence about a stall of the last minute; empty without one."""
        if self._clock.monotonic() - self._ended_s > RECENT_S:
            return ""
        return f"the event loop stood still for {self.last_s:.1f} s"

    def pulse(self) -> None:
        """The loop is alive."""
        self._pulse_s = self._clock.monotonic()

    def look(self, thread_id: int) -> None:
        """Compare the pulse with the clock; log a stall of `thread_id` when it is noticed and when it is over."""
        now_s = self._clock.monotonic()
        if self._stalled_since_s is None:
            if now_s - self._pulse_s > LIMIT_S:
                self._stalled_since_s = self._pulse_s
                self.count += 1
                log.warning(LOOP_STALLED, seconds=round(now_s - self._pulse_s, 1), where=_where(thread_id))
        elif self._pulse_s > self._stalled_since_s:
            self.last_s, self._ended_s = self._pulse_s - self._stalled_since_s, now_s
            self._stalled_since_s = None
            log.warning(LOOP_STALL_OVER, seconds=round(self.last_s, 1))


def _where(thread_id: int) -> str:
    """The innermost frames of a thread, the innermost first: `zipping.py:40 add < archive.py:12 prepare`."""
    # The documented way to look at another thread.
    frame = sys._current_frames().get(thread_id)  # pyright: ignore[reportPrivateUsage]
    stack = traceback.extract_stack(frame)[-FRAMES:] if frame else []
    return " < ".join(f"{each.filename.rpartition('/')[2]}:{each.lineno} {each.name}" for each in reversed(stack))


@asynccontextmanager
async def watching(clock: Clock) -> AsyncGenerator[Stalls]:
    """Watch the running event loop during the block."""
    stalls, over, loop_thread = Stalls(clock), threading.Event(), threading.get_ident()

    def watch() -> None:
        while not over.wait(PULSE_S):
            stalls.look(loop_thread)

    async def beat() -> None:
        while True:
            stalls.pulse()
            await asyncio.sleep(PULSE_S)

    thread = threading.Thread(target=watch, name="loop-watch", daemon=True)
    pulse = asyncio.create_task(beat())
    thread.start()
    try:
        yield stalls
    finally:
        over.set()
        pulse.cancel()
        await asyncio.wait({pulse})
        await asyncio.to_thread(thread.join)
