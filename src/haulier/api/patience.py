"""How long a request waits for its dependencies, and waiting for the first of several things."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# No request hangs longer than 2 s without an answer; what comes after a dependency's silence has the rest of them.
ANSWER_S = 1.5


async def until_first(wanted: Coroutine[Any, Any, T], *stops: Coroutine[Any, Any, Any]) -> T | None:
    """What `wanted` answers, or None when one of `stops` ends before it. All of them are over on return."""
    task = asyncio.ensure_future(wanted)
    others = [asyncio.ensure_future(stop) for stop in stops]
    try:
        await asyncio.wait([task, *others], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, *others):
            each.cancel()
        await asyncio.gather(task, *others, return_exceptions=True)
