"""What a person sees of a job and its download: a progress bar, or sparse lines where there is no terminal."""

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from msgspec import UNSET
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from haulier.cli.quiet_views import Quiet
from haulier.cli.steps import Steps
from haulier.cli.words import duration_words, files_words, one_line, ready_words, size_words, state_words
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.wire import JobStatus
from haulier.wire_batches import BatchStatus

LINE_EVERY_S = 15.0
FIGURES_WIDTH = 48  # `100 %  999.9 MB of 999.9 MB  999.9 MB/s  59 s left`: the bar gives way first


class View(Protocol):
    """Shows a job, then its download; everything goes to stderr."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show_job(self, job: JobStatus) -> None: ...

    def show_bytes(self, done: int, total: int | None, *, doing: str = "downloading") -> None: ...

    def show_ready(self, done: int, total: int) -> None:
        """So many files of a batch are prepared."""
        ...

    def say(self, text: str) -> None: ...

    def saved(self, **facts: Any) -> None:
        """A file is where it should be: `path`, `size`, `sha256`, `verified`."""
        ...

    def saved_before(self, path: Path, job: JobStatus) -> None:
        """The file of `job` was there already, the very same."""
        ...

    def ended(self, batch: BatchStatus) -> None:
        """All jobs of a batch are over."""
        ...

    def pause(self) -> None:
        """Leave the terminal to somebody else."""
        ...

    def resume(self) -> None: ...


def view_for(console: Console, *, lines: bool = False, clock: Clock = SYSTEM_CLOCK) -> View:
    """A bar in a terminal; elsewhere what is to be known only, or with `lines` the progress too."""
    if draws(console):
        return Bar(console, clock=clock)
    return Lines(console, clock=clock) if lines or console.is_terminal else Notes(console)


def draws(console: Console) -> bool:
    """Whether a picture can change in place; TERM=dumb (Emacs, some CI) shows nothing before its end."""
    return console.is_terminal and not console.is_dumb_terminal


def saved_before_words(path: Path) -> str:
    return f"{path} is there already, SHA-256 verified"


def saved_words(*, path: object, size: int, sha256: str, verified: bool) -> str:
    checked = "SHA-256 verified" if verified else "size verified; the service knows no SHA-256 for it"
    return f"Saved {path} ({size_words(size)}, {checked}: {sha256})"


class Figures(ProgressColumn):
    """Percent, bytes, rate and remaining time, as far as each is known."""

    def render(self, task: Task) -> Text:
        parts: list[str] = []
        if task.total:
            parts.append(f"{task.percentage:.0f} %")
        if task.fields.get("in_bytes") and task.completed:
            of_total = f" of {size_words(int(task.total))}" if task.total else ""
            parts.append(f"{size_words(int(task.completed))}{of_total}")
            if task.speed:
                parts.append(f"{size_words(int(task.speed))}/s")
        if task.time_remaining:
            parts.append(f"{duration_words(task.time_remaining)} left")
        return Text("  ".join(parts), no_wrap=True)


class Notes(Quiet):
    """No progress: what was saved, and pauses."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)

    def saved(self, **facts: Any) -> None:
        self.say(saved_words(**facts))

    def saved_before(self, path: Path, job: JobStatus) -> None:
        self.say(saved_before_words(path))


class Bar(Notes):
    """One bar: first the preparation (percent of the job, bytes where they are known), then the download."""

    def __init__(self, console: Console, *, clock: Clock) -> None:
        super().__init__(console)
        self._clock = clock
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            Figures(table_column=Column(no_wrap=True, min_width=FIGURES_WIDTH)),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("asking", total=None)
        self._phase = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show_job(self, job: JobStatus) -> None:
        words = one_line(state_words(job, now=self._clock.now()))
        description = f"{files_words(job)}: {words}".replace("[", "\\[")
        self._enter(f"{job.status} {job.attempt} {words if job.status == 'processing' else ''}", description)
        detail = job.progress_detail
        done, total = (0, None) if detail is UNSET else (detail.done_bytes, detail.total_bytes)
        in_bytes = bool(total) or not job.progress
        if not in_bytes:
            done, total = job.progress, 100
        self._progress.update(self._task, description=description, completed=done, total=total, in_bytes=in_bytes)

    def show_bytes(self, done: int, total: int | None, *, doing: str = "downloading") -> None:
        if total and done >= total:
            doing = "verifying"
        self._enter(doing, doing)
        self._progress.update(self._task, completed=done, total=total, in_bytes=True)

    def show_ready(self, done: int, total: int) -> None:
        words = ready_words(done, total)
        self._enter("ready", words)
        self._progress.update(self._task, description=words, completed=done, total=total, in_bytes=False)

    def pause(self) -> None:
        self._progress.stop()

    def resume(self) -> None:
        self._progress.start()

    def _enter(self, phase: str, description: str) -> None:
        """Rate and remaining time count from the beginning of a phase."""
        if phase != self._phase:
            self._phase = phase
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(description, total=None)


class Lines(Notes):
    """A line when the state changes, and for each 25 % or 15 s in between."""

    def __init__(self, console: Console, *, clock: Clock) -> None:
        super().__init__(console)
        self._clock = clock
        self._steps = Steps()
        self._at = 0.0

    def show_job(self, job: JobStatus) -> None:
        words = one_line(state_words(job, now=self._clock.now()))
        phase = f"{job.status} {words if job.status == 'processing' else ''}"
        if self._due(phase, job.progress):
            percent = f", {job.progress} %" if job.status == "processing" else ""
            self.say(f"{files_words(job)}: {words}{percent}{_bytes_words(job)}")

    def show_bytes(self, done: int, total: int | None, *, doing: str = "downloading") -> None:
        if self._due(doing, done * 100 // total if total else 0):
            self.say(f"{doing}, {size_words(done)}" + (f" of {size_words(total)}" if total else ""))

    def show_ready(self, done: int, total: int) -> None:
        self._say_news(ready_words(done, total))

    def _due(self, phase: str, percent: int) -> bool:
        now = self._clock.monotonic()
        due = self._steps.is_news(phase, percent) or now >= self._at + LINE_EVERY_S
        if due:
            self._at = now
        return due


def _bytes_words(job: JobStatus) -> str:
    detail = job.progress_detail
    if detail is UNSET or not detail.done_bytes:
        return ""
    total = f" of {size_words(detail.total_bytes)}" if detail.total_bytes is not None else ""
    return f" ({size_words(detail.done_bytes)}{total})"


def pause_words(why: str, wait_s: float) -> str:
    """What to say of a pause before another try."""
    return f"Trying again in {duration_words(max(1.0, wait_s))}: {why}"
