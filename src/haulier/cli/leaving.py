"""`get` until it ends or is left: what happens to the job then, and the commands that go on with it or stop it."""

import os
import shlex
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER

if TYPE_CHECKING:
    from haulier.cli.batch_run import BatchRun
    from haulier.cli.getting import Run
    from haulier.cli.view import View


async def until_left(
    work: Coroutine[Any, Any, None], run: "Run | BatchRun", view: "View", *, again: str, where: Sequence[str]
) -> None:
    """Raises CommandFailed when the user leaves: 130 with the job going on, JOB_CANCELLED without.

    `again` is the command that goes on, `where` the options that say whom to ask. A job that has completed before it
    could be cancelled is downloaded.
    """
    from haulier.cli.failures import INTERRUPTED, JOB_CANCELLED, CommandFailed
    from haulier.cli.interrupts import Interrupted, interruptible

    def how_to_go_on() -> str:
        return run.after_interrupt(again, where=where)

    asks = sys.stdin.isatty() and sys.stderr.isatty()
    while True:
        try:
            await interruptible(work, view, asks=asks, can_cancel=lambda: run.can_cancel, last_words=how_to_go_on)
        except Interrupted as left:
            if not left.cancel:
                raise CommandFailed(how_to_go_on(), exit_code=INTERRUPTED) from None
        else:
            return
        if cancelled := await run.cancel():
            raise CommandFailed(cancelled, exit_code=JOB_CANCELLED)
        view.resume()
        view.say("It ended before it could be cancelled; going on.")
        work = run.go_on()


def command(*words: str, flags: Mapping[str, bool] | None = None, values: Sequence[str] = ()) -> str:
    """A command of this program, to be typed."""
    return shlex.join(["haulier", *words, *(flag for flag, given in (flags or {}).items() if given), *values])


def where_options(*, url: str | None, user: str, home: Path) -> Iterator[str]:
    """The options that say whom to ask and for whom. What the environment says, it will say again."""
    for name, value, usual in (
        ("url", url, None),
        ("user", user, DEFAULT_USER),
        ("home", str(home), str(DEFAULT_HOME)),
    ):
        if value and value not in (usual, os.environ.get(f"HAULIER_{name.upper()}")):
            yield from (f"--{name}", value)
