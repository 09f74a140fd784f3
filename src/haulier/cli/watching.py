"""What `watch` shows: a table that changes in place, a line for each change, or JSON."""

from types import TracebackType
from typing import Protocol, Self

from msgspec import UNSET
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from haulier.cli.failures import say
from haulier.cli.printing import print_table, table
from haulier.cli.stdout import print_json
from haulier.cli.steps import Steps
from haulier.cli.view import draws
from haulier.cli.words import duration_words, files_words, moment, one_line, size_words, state_words
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.job import TERMINAL
from haulier.wire import JobStatus

ENDED_KEPT = 200
ENDED_REMEMBERED = 2_000
FRAME_ROWS = 4  # title, heading, note, and the line of the prompt
NARROW = 120
NOTHING = "No job waits or runs."
_COLOURS = {"completed": "green", "failed": "red", "cancelled": "yellow", "processing": "cyan"}


class Screen(Protocol):
    """Shows jobs as they change."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, job: JobStatus) -> None: ...

    def complete(self) -> None:
        """All jobs that wait or run have been shown once."""
        ...

    def say(self, text: str) -> None: ...


def screen_for(console: Console, *, json: bool, once: bool, clock: Clock = SYSTEM_CLOCK) -> Screen:
    if json:
        return JsonScreen()
    if once:
        return OnceScreen(console, clock=clock)
    return TableScreen(console, clock=clock) if draws(console) else LineScreen(console, clock=clock)


class Jobs:
    """The jobs to show: those that wait or run, and the latest that ended."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobStatus] = {}

    def put(self, job: JobStatus) -> None:
        self._jobs.pop(job.job_id, None)
        self._jobs[job.job_id] = job
        ended = [each.job_id for each in self._jobs.values() if each.status in TERMINAL]
        for job_id in ended[:-ENDED_KEPT]:
            del self._jobs[job_id]

    def shown(self, rows: int) -> tuple[list[JobStatus], int]:
        """As many as fit into `rows`, and how many do not: alive before ended, then the newest (ids sort by time)."""
        ordered = sorted(self._jobs.values(), key=lambda job: job.job_id, reverse=True)
        ordered.sort(key=lambda job: job.status in TERMINAL)
        return ordered[:rows], max(len(ordered) - rows, 0)


class OnceScreen:
    """The jobs as they are, as a table that is printed once, for other programs too: nothing is cut."""

    def __init__(self, console: Console, *, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._jobs = Jobs()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, job: JobStatus) -> None:
        self._jobs.put(job)

    def complete(self) -> None:
        jobs, _ = self._jobs.shown(100_000)
        if not jobs:
            self._console.print(NOTHING)
            return
        listed = table("job", "file", "status", "how it stands", folds=("how it stands",))
        for job in jobs:
            words = one_line(f"{_percent(job)}{_state(job, clock=self._clock)}")
            listed.add_row(job.job_id, one_line(files_words(job)), job.status, words)
        print_table(listed)

    def say(self, text: str) -> None:
        say(one_line(text))


class TableScreen(OnceScreen):
    """A table that changes in place and never outgrows the terminal."""

    def __init__(self, console: Console, *, clock: Clock) -> None:
        super().__init__(console, clock=clock)
        self._note = "Looking …"
        self._live = Live(console=console, get_renderable=self._rendered, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._note = ""
        self._live.refresh()
        self._live.stop()

    def complete(self) -> None:
        self._note = "Ctrl-C ends the watching; the jobs go on."

    def say(self, text: str) -> None:
        self._note = one_line(text)

    def _rendered(self) -> Group:
        rows = max(self._console.height - FRAME_ROWS, 1)
        jobs, more = self._jobs.shown(rows)
        lines: list[Table | Text] = [jobs_table(jobs, clock=self._clock, width=self._console.width)] if jobs else []
        if not jobs:
            lines.append(Text(NOTHING))
        if more:
            lines.append(Text(f"and {more} more; haulier jobs lists all", style="dim"))
        lines.append(Text(self._note, style="dim", overflow="ellipsis", no_wrap=True))
        return Group(*lines)


class LineScreen(OnceScreen):
    """A line when the state of a job changes, and every 25 %."""

    def __init__(self, console: Console, *, clock: Clock) -> None:
        super().__init__(console, clock=clock)
        self._steps: dict[str, Steps] = {}
        self._ended: dict[str, None] = {}  # the latest, which a new connection tells once more

    def show(self, job: JobStatus) -> None:
        if job.job_id in self._ended or not self._steps.setdefault(job.job_id, Steps()).is_news(
            job.status, job.progress
        ):
            return
        if job.status in TERMINAL:
            del self._steps[job.job_id]
            self._ended[job.job_id] = None
            if len(self._ended) > ENDED_REMEMBERED:
                del self._ended[next(iter(self._ended))]
        words = f"{job.job_id}  {files_words(job)}: {_percent(job)}{_state(job, clock=self._clock)}"
        self._console.print(one_line(words), markup=False, highlight=False, soft_wrap=True)

    def complete(self) -> None: ...


class JsonScreen:
    """Each change as a line: the status object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, job: JobStatus) -> None:
        print_json(job)

    def complete(self) -> None: ...

    def say(self, text: str) -> None:
        say(one_line(text))


def jobs_table(jobs: list[JobStatus], *, clock: Clock, width: int) -> Table:
    """A row for each job; a narrow terminal shows the end of ids, which tells jobs of one day apart."""
    live = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    live.add_column("job", no_wrap=True)
    live.add_column("file", no_wrap=True, overflow="ellipsis", max_width=24)
    live.add_column("status", no_wrap=True)
    live.add_column("", ratio=1, min_width=8)
    live.add_column("how it stands", no_wrap=True, overflow="ellipsis", ratio=3)
    for job in jobs:
        bar = ProgressBar(total=100, completed=job.progress) if job.status == "processing" else ""
        live.add_row(
            Text(job.job_id if width >= NARROW else f"…{job.job_id[-8:]}"),
            Text(one_line(files_words(job))),
            Text(job.status, style=_COLOURS.get(job.status, "")),
            bar,
            Text(one_line(f"{_percent(job)}{_state(job, clock=clock)}")),
        )
    return live


def _percent(job: JobStatus) -> str:
    return f"{job.progress} %, " if job.status == "processing" else ""


def _state(job: JobStatus, *, clock: Clock) -> str:
    now = clock.now()
    if job.status == "failed" and job.error is not UNSET:
        return f"{job.error.message} [{job.error.code}]"
    if job.status == "completed" and job.file_name is not UNSET and job.file_size is not UNSET:
        return f"{job.file_name} ({size_words(job.file_size)})"
    words = state_words(job, now=now)
    if job.status == "processing" and job.estimated_completion is not None:
        left_s = (moment(job.estimated_completion) - now).total_seconds()
        words += f", {duration_words(left_s)} left" if left_s >= 1 else ""
    return words
