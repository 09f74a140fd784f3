"""Background tasks with an owner: they run as long as a block, and are cancelled and awaited at its end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from haulier.errors import Unavailable
from haulier.observe.events import LOOP_DEPENDENCY_AWAY, LOOP_FAILED

log = structlog.get_logger()

CANCEL_AGAIN_S = 0.5


@asynccontextmanager
async def background(*loops: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run `loops` during the block. They end with it; one that ends before it by an error is a defect, and logged."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    for task in tasks:
        task.add_done_callback(_log_defect)
    try:
        yield
    finally:
        await _end(tasks)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel until all are over: redis-py drops a cancel that meets it while it connects."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


def _log_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error(LOOP_FAILED, loop=task.get_name(), exc_info=error)


async def repeat(
    step: Callable[[], Awaitable[float]],
    *,
    name: str,
    on_failure_s: float = 1.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    until: asyncio.Event | None = None,
) -> None:
    """Call `step` for ever; it answers the seconds to wait before the next call. Errors are logged, never raised.

    Once `until` is set no other call begins.
    """
    while until is None or not until.is_set():
        try:
            wait_s = await step()
        except Unavailable as error:
            log.warning(LOOP_DEPENDENCY_AWAY, loop=name, code=error.code)
            wait_s = on_failure_s
        except Exception:
            log.exception(LOOP_FAILED, loop=name)
            wait_s = on_failure_s
        await sleep(wait_s)
