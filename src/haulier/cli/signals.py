"""Signals that end a command, handed to its event loop."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from haulier.cli.failures import INTERRUPTED, CommandFailed, say_last
from haulier.silence import LOOKS

T = TypeVar("T")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNHEARD_S = 1.0


class Signalled(CommandFailed):
    """A signal has ended the command."""

    def __init__(self) -> None:
        super().__init__(interrupted(), exit_code=INTERRUPTED)


def interrupted() -> str:
    """What a command says that has nothing to say about how to go on."""
    return "Interrupted."


@contextmanager
def heard(
    acts: Mapping[signal.Signals, Callable[[], Any]], *, last_words: Callable[[], str] = interrupted
) -> Generator[None]:
    """During the block each signal calls its act in the running loop. What is ignored (nohup) stays ignored.

    A loop that has not heard it after `UNHEARD_S` hangs in a write that nobody reads: the process says its
    `last_words` and ends, with 130.
    """
    if threading.current_thread() is not threading.main_thread():  # there are no signals
        yield
        return
    loop = asyncio.get_running_loop()

    def handle(number: int, _frame: Any) -> None:
        was_heard = threading.Event()
        threading.Thread(target=_end_unless, args=[was_heard, last_words], daemon=True).start()

        def act() -> None:
            was_heard.set()
            acts[signal.Signals(number)]()

        loop.call_soon_threadsafe(act)

    listened = [number for number in acts if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in listened}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _end_unless(was_heard: threading.Event, last_words: Callable[[], str]) -> None:
    """The last resort. A time in which the whole process stood still is one look, and not the end of its patience."""
    for _ in range(LOOKS):
        if was_heard.wait(UNHEARD_S / LOOKS):
            return
    try:
        say_last(last_words())
    finally:
        os._exit(INTERRUPTED)


async def until_signalled(work: Coroutine[Any, Any, T]) -> T:
    """What `work` answers. Raises Signalled when SIGINT, SIGTERM or SIGHUP comes first; `work` has ended then."""
    task = asyncio.ensure_future(work)
    came: list[bool] = []

    def end() -> None:
        came.append(task.cancel())

    with heard(dict.fromkeys(ENDING, end)):
        try:
            return await task
        except asyncio.CancelledError:
            if not came:
                raise
            raise Signalled from None
