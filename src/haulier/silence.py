"""How long we wait for the answer of another program."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

LOOKS = 10


@asynccontextmanager
async def answered_within(limit_s: float | None) -> AsyncGenerator[None]:
    """As `asyncio.timeout`: TimeoutError when the block is not over after `limit_s` seconds (None: no limit).

    A time for which this process stood still (a machine that was paused, a blocked loop) counts as one look of
    LOOKS: nobody was silent then, and an answer that came meanwhile is read before time is up.
    """
    if limit_s is None:
        yield
        return
    loop, step_s = asyncio.get_running_loop(), limit_s / LOOKS
    async with asyncio.timeout(None) as limit:

        def look(left: int) -> None:
            nonlocal next_look
            if left:
                next_look = loop.call_later(step_s, look, left - 1)
            else:
                limit.reschedule(loop.time())

        next_look = loop.call_later(step_s, look, LOOKS - 1)
        try:
            yield
        finally:
            next_look.cancel()
