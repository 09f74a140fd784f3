"""Jobs and numbers in words, and the two ways to show progress."""

import io

import msgspec
import pytest
from rich.console import Console

from haulier.cli.view import Bar, Lines, view_for
from haulier.cli.words import duration_words, files_words, one_line, size_words, state_words
from haulier.wire import JobStatus
from tests.clocks import MORNING, HandClock
from tests.loopback import status


def job(**changes: object) -> JobStatus:
    return msgspec.convert(status(**changes), JobStatus)


def at_work(percent: int, **changes: object) -> JobStatus:
    detail = {"stage": "zipping", "done_bytes": percent * 10_000, "total_bytes": 1_000_000}
    return job(status="processing", progress=percent, progress_detail=detail, **changes)


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (999_960, "1.0 MB"), (5 * 10**12, "5.0 TB")]
)
def test_sizes(size: int, words: str) -> None:
    assert size_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (400_000, "4 d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_a_queued_job_tells_its_position_and_estimate() -> None:
    queued = job(queue_position=3, estimated_completion="2026-11-23T10:00:40.000Z")
    assert state_words(queued, now=MORNING) == "queued, position 3, ready in about 40 s"


def test_an_estimate_that_has_passed_is_not_repeated() -> None:
    assert state_words(job(estimated_completion="2026-11-23T09:00:00.000Z"), now=MORNING) == "queued"


def test_a_job_between_attempts_tells_when_the_next_is() -> None:
    waiting = job(retry_at="2026-11-23T10:00:05.000Z", estimated_completion="2026-11-23T10:01:00.000Z")
    assert state_words(waiting, now=MORNING) == "queued, next attempt in 5 s"


def test_text_from_elsewhere_does_not_steer_the_terminal() -> None:
    assert one_line("a\x1b[2Jb\nc") == "a [2Jb c"


def test_lines_are_sparse() -> None:
    out, clock = io.StringIO(), HandClock()
    with Lines(Console(file=out), clock=clock) as view:
        view.show_job(job())
        for percent in range(100):
            view.show_job(at_work(percent))
        for done in range(0, 1_000_001, 10_000):
            view.show_bytes(done, 1_000_000)
    lines = out.getvalue().splitlines()
    assert lines[:3] == [
        "file 70000: queued",
        "file 70000: zipping, 0 %",
        "file 70000: zipping, 25 % (250.0 kB of 1.0 MB)",
    ]
    assert len(lines) == 10


def test_a_long_silence_is_broken() -> None:
    out, clock = io.StringIO(), HandClock()
    view = Lines(Console(file=out), clock=clock)
    for second in range(40):
        clock.passed_s = second
        view.show_job(at_work(1))
    assert len(out.getvalue().splitlines()) == 3


def test_a_terminal_gets_a_bar_and_others_lines_if_they_want() -> None:
    assert isinstance(view_for(Console(file=io.StringIO(), force_terminal=True)), Bar)
    assert isinstance(view_for(Console(file=io.StringIO()), lines=True), Lines)
    assert not isinstance(view_for(Console(file=io.StringIO())), (Bar, Lines))


def test_a_bar_shows_stage_and_percent() -> None:
    out = io.StringIO()
    with Bar(Console(file=out, force_terminal=True, width=120, color_system=None), clock=HandClock()) as view:
        view.show_job(job(queue_position=2))
        view.show_job(at_work(40))
        view.show_job(at_work(50, version=3))
        view._progress.refresh()
    assert "file 70000: zipping" in out.getvalue()
    assert "50 %  500.0 kB of 1.0 MB" in out.getvalue()


def test_of_an_expired_file_is_said_how_to_get_it_again():
    expired = job(status="completed", progress=100, expires_at="2026-11-23T09:59:59.000Z")
    assert state_words(expired, now=MORNING) == "its file has expired; `haulier get 70000` prepares it again"


def test_a_file_that_is_kept_is_just_completed():
    assert state_words(job(status="completed", expires_at="2026-11-23T10:00:01.000Z"), now=MORNING) == "completed"


def test_what_was_chosen_of_a_file_tells_its_jobs_apart() -> None:
    chosen = msgspec.convert(status(params={"columns": 6, "format": "png", "a": [True]}), JobStatus)
    assert files_words(chosen) == "file 70000 (columns=6, format=png, a=[true])"
    long = msgspec.convert(status(params={"title": "\x1b[2J" + "x" * 100}), JobStatus)
    assert len(files_words(long)) == len("file 70000 ()") + 60
    assert "\x1b" not in files_words(long)
