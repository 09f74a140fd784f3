"""Ctrl-C while a job is under way: leave it running, cancel it, or go on. Asked in a terminal; elsewhere it is left."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, Protocol

from haulier.cli.signals import ENDING, heard, interrupted

QUESTION = "[l]eave the job running, [c]ancel it, or [g]o on? Then Enter (Ctrl-C: leave)"


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

    def say(self, text: str) -> None: ...


async def interruptible(
    work: Coroutine[Any, Any, None],
    view: Pausable,
    *,
    asks: bool,
    can_cancel: Callable[[], bool],
    last_words: Callable[[], str] = interrupted,
) -> None:
    """Run `work`; raise Interrupted when the user leaves it. It goes on while he is asked.

    `asks`: there is a terminal to ask at. SIGTERM, and a terminal that is gone, leave without a question. `last_words`
    are said when `work` hangs so that it cannot even be left.
    """
    task = asyncio.ensure_future(work)
    interrupts = _Interrupts(task, view, asks=asks, can_cancel=can_cancel)
    with interrupts.heard(last_words):
        try:
            await task
        except asyncio.CancelledError:
            if interrupts.choice is None:
                raise
            raise Interrupted(cancel=interrupts.choice is Choice.CANCEL) from None


class _Interrupts:
    """What signals do to `task`. `choice` is what ended it, if they did."""

    def __init__(
        self, task: "asyncio.Future[None]", view: Pausable, *, asks: bool, can_cancel: Callable[[], bool]
    ) -> None:
        self.choice: Choice | None = None
        self._task = task
        self._view = view
        self._asks = asks
        self._can_cancel = can_cancel
        self._loop = asyncio.get_running_loop()
        self._asking = False

    @contextmanager
    def heard(self, last_words: Callable[[], str]) -> Generator[None]:
        """Listen to signals during the block."""
        acts = {**dict.fromkeys(ENDING, self._leave), signal.SIGINT: self._interrupted}
        try:
            with heard(acts, last_words=last_words):
                yield
        finally:
            if self._asking:
                with suppress(OSError, ValueError):  # stdin may be closed by now
                    self._loop.remove_reader(sys.stdin)

    def _interrupted(self) -> None:
        if self._asks and not self._asking and self._can_cancel():
            self._ask()
            return
        if self._asking:
            sys.stderr.write("\n")
        self._leave()

    def _ask(self) -> None:
        self._asking = True
        self._view.pause()
        self._tell_question()
        self._loop.add_reader(sys.stdin, self._answered)

    def _tell_question(self) -> None:
        sys.stderr.write(f"{QUESTION}\n")  # what the work says meanwhile stands in lines of its own
        sys.stderr.flush()

    def _answered(self) -> None:
        choice = choice_of(sys.stdin.readline())
        if choice is None:
            self._tell_question()
            return
        self._loop.remove_reader(sys.stdin)
        self._asking = False
        if choice is Choice.GO_ON or self._task.done():
            self._view.resume()
        elif choice is Choice.CANCEL and not self._can_cancel():
            self._view.resume()
            self._view.say("It has ended meanwhile; going on.")
        else:
            self._leave(choice)

    def _leave(self, choice: Choice = Choice.LEAVE) -> None:
        self.choice = self.choice or choice
        self._task.cancel()


def choice_of(line: str) -> Choice | None:
    """What was answered; the end of the input leaves the job alone, anything unclear is asked again."""
    if not line:
        return Choice.LEAVE
    word = line.strip().lower()[:1]
    return next((choice for choice in Choice if choice.value == word), None)
