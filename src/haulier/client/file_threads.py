"""Calls about files, each in a thread: it ends before its caller goes on, also when the caller is cancelled.

A thread cannot be stopped. Who closes a file while one still writes may hit another file under the same number.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def finished(call: Callable[P, T], *args: P.args, **values: P.kwargs) -> T:
    """What `call` answers. When cancelled meanwhile, CancelledError after its end; what it answered is lost then."""
    # A future of the executor, not a task: the end of the loop cancels all tasks.
    future = asyncio.get_running_loop().run_in_executor(None, partial(call, *args, **values))
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        future.exception()  # seen: nobody else will ask for it
        raise cancelled
    return future.result()


@asynccontextmanager
async def opened(make: Callable[[], T], *, close: Callable[[T], object]) -> AsyncGenerator[T]:
    """What `make` makes during the block; closed also when the block is cancelled before it begins."""
    made: list[T] = []
    try:
        await finished(lambda: made.append(make()))
        yield made[0]
    finally:
        for each in made:
            await finished(close, each)
