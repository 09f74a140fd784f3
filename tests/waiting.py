"""Waiting for conditions, not for time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE_S = 20


async def eventually(look: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """The first true answer of `look`, or of what it awaits; fails after `within_s`."""
    end = time.monotonic() + within_s
    while True:
        answer = look()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {within_s} s"
        await asyncio.sleep(0.01)


async def until(holds: Callable[[], Any], *, within_s: float = 10) -> float:
    """Seconds until `holds()` (or what it awaits) is true; fails after `within_s`."""
    began = time.monotonic()
    await eventually(holds, within_s=within_s)
    return time.monotonic() - began
