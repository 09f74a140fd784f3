"""Ctrl-C while a job is under way: leave it running, cancel it, or go on. Asked in a terminal; elsewhere it is left."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

QUESTION = "Ctrl-C: [l]eave the job running, [c]ancel it, or [g]o on? (again: leave at once) "


class Choice(Enum):
    LEAVE = "l"
    CANCEL = "c"
    GO_ON = "g"


class Interrupted(Exception):
    """The user wants to leave; `cancel`: and the job shall stop."""

    def __init__(self, *, cancel: bool) -> None:
        super().__init__()
        self.cancel = cancel


class Pausable(Protocol):
    """What is drawn on the terminal meanwhile."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


async def interruptible(
    work: Coroutine[Any, Any, None], view: Pausable, *, asks: bool, can_cancel: Callable[[], bool]
) -> None:
    """Run `work`; raise Interrupted when the user leaves it. It goes on while he is asked.

    `asks`: there is a terminal to ask at. SIGTERM leaves without a question.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    answers: list[Choice] = []

    def leave(choice: Choice = Choice.LEAVE) -> None:
        answers.append(choice)
        task.cancel()

    def answered(line: str) -> None:
        loop.remove_reader(sys.stdin)
        asking.clear()
        choice = choice_of(line)
        if choice is Choice.GO_ON or task.done():
            view.resume()
        else:
            leave(choice)

    asking: list[bool] = []

    def interrupted() -> None:
        if not asks or asking or not can_cancel():
            if asking:
                sys.stderr.write("\n")
            leave()
            return
        asking.append(True)
        view.pause()
        sys.stderr.write(QUESTION)
        sys.stderr.flush()
        loop.add_reader(sys.stdin, lambda: answered(sys.stdin.readline()))

    handled = threading.current_thread() is threading.main_thread()  # elsewhere there are no signals
    if handled:
        loop.add_signal_handler(signal.SIGINT, interrupted)
        loop.add_signal_handler(signal.SIGTERM, leave)
    try:
        await task
    except asyncio.CancelledError:
        if not answers:
            raise
        raise Interrupted(cancel=answers[0] is Choice.CANCEL) from None
    finally:
        if handled:
            loop.remove_signal_handler(signal.SIGINT)
            loop.remove_signal_handler(signal.SIGTERM)
        if asking:
            with suppress(OSError, ValueError):
                loop.remove_reader(sys.stdin)


def choice_of(line: str) -> Choice:
    """What was answered; anything unclear, and the end of the input, leaves the job alone."""
    word = line.strip().lower()[:1]
    return next((choice for choice in Choice if choice.value == word), Choice.LEAVE)
