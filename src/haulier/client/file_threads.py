"""Blocking calls, each in a thread. One about a file ends before its caller goes on, also when that is cancelled.

A thread cannot be stopped. Who closes a file while one still writes may hit another file under the same number.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
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


async def abandoned_when_cancelled(call: Callable[[bytes], object], chunk: bytes) -> None:
    """`call(chunk)`, which may hang for ever: neither who is cancelled nor the end of the program waits for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if future.done():
            return
        future.set_result(None) if error is None else future.set_exception(error)

    def run() -> None:
        failure = None
        try:
            call(chunk)
        except BaseException as error:  # it is raised where it is waited for
            failure = error
        with suppress(RuntimeError):  # the loop may be over
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, daemon=True).start()
    await future
