"""Views without a picture: nothing at all, or one JSON object for each event on stdout (docs/cli.md)."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from haulier.cli.failures import INTERRUPTED, LAST_WORDS_S, CommandFailed, code_of, words_of
from haulier.cli.stdout import offer_json, print_json
from haulier.cli.words import one_line, ready_words
from haulier.client import ClientError
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.errors import HaulierError
from haulier.wire import JobStatus
from haulier.wire_batches import BatchStatus

BYTES_EVERY_S = 1.0


class Quiet:
    """Shows nothing; errors are told when the program ends."""

    _said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show_job(self, job: JobStatus) -> None: ...

    def show_bytes(self, done: int, total: int | None, *, doing: str = "downloading") -> None: ...

    def show_ready(self, done: int, total: int) -> None: ...

    def say(self, text: str) -> None: ...

    def saved(self, **facts: Any) -> None: ...

    def saved_before(self, path: Path, job: JobStatus) -> None: ...

    def ended(self, batch: BatchStatus) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def _say_news(self, text: str) -> None:
        """`say` it, unless it was what was said so last."""
        if text != self._said:
            self._said = text
            self.say(text)


class JsonEvents(Quiet):
    """`{"event": "status" | "downloading" | "note" | "saved" | "error", …}`, a line each."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._told_at = float("-inf")
        self._told: tuple[int, int | None] | None = None

    def show_job(self, job: JobStatus) -> None:
        emit("status", job=job)

    def show_bytes(self, done: int, total: int | None, *, doing: str = "downloading") -> None:
        now = self._clock.monotonic()
        if (done, total) != self._told and (done == total or now >= self._told_at + BYTES_EVERY_S):
            self._told_at, self._told = now, (done, total)
            emit("downloading", done_bytes=done, total_bytes=total)

    def show_ready(self, done: int, total: int) -> None:
        self._say_news(ready_words(done, total))

    def say(self, text: str) -> None:
        emit("note", message=one_line(text))

    def saved(self, **facts: Any) -> None:
        emit("saved", **facts)

    def saved_before(self, path: Path, job: JobStatus) -> None:
        emit("saved", path=str(path), size=job.file_size, sha256=job.sha256, verified=True, already=True)

    def ended(self, batch: BatchStatus) -> None:
        emit("batch", batch=batch)


@contextmanager
def telling_errors(on: bool) -> Generator[None]:
    """What ends the block badly becomes the last event; the sentence on stderr and the exit code stay as they are.

    Who leaves is not kept waiting for a stdout that nobody reads.
    """
    try:
        yield
    except (CommandFailed, ClientError, HaulierError, OSError) as error:
        event = {"event": "error", "code": code_of(error), "message": words_of(error)}
        if on and isinstance(error, CommandFailed) and error.exit_code == INTERRUPTED:
            offer_json(event, within_s=LAST_WORDS_S)
        elif on:
            with suppress(OSError):  # it may be stdout that is wrong
                print_json(event)
        raise


def emit(event: str, **facts: Any) -> None:
    """One event as a line on stdout."""
    print_json({"event": event} | facts)
