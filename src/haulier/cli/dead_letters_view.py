"""What a person sees of dead letters."""

import sys
from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET, UnsetType
from rich.table import Table

from haulier.cli.failures import say
from haulier.cli.printing import print_table, table
from haulier.cli.words import duration_words, files_words, moment, one_line
from haulier.clock import SYSTEM_CLOCK
from haulier.errors import JobNotFound
from haulier.wire import AttemptReport, DeadLetterDetail, DeadLetterPage, DeadLettersRetried, JobError

ONLY_FAILED = "Only a job that failed can be shown or retried here."
LONG = ("user", "error", "worker")  # what has no greatest length


def print_page(page: DeadLetterPage) -> None:
    """A line for each letter; what else there is goes to stderr."""
    if not page.dead_letters:
        say("No dead letters.")
        return
    now = SYSTEM_CLOCK.now()
    lines = table("job", "user", "for", "error", "attempts", "failed", "retry", folds=LONG)
    for letter in page.dead_letters:
        lines.add_row(
            letter.job_id,
            one_line(letter.user),
            files_words(letter),
            one_line(letter.error.code),
            f"{letter.attempts_used}/{letter.max_attempts}",
            _ago(letter.failed_at, now=now),
            "" if letter.retry_status is UNSET else letter.retry_status,
        )
    print_table(lines)
    if page.next_cursor is not None:
        say(f"These are the latest {len(page.dead_letters)}; --limit shows more, --since and --until others.")


def print_letter(letter: DeadLetterDetail) -> None:
    """Its facts, then a line for each attempt."""
    now = SYSTEM_CLOCK.now()
    lines = [
        ("job", letter.job_id),
        ("user", f"{one_line(letter.user)} ({letter.role})"),
        ("for", files_words(letter)),
        ("preparer", one_line(letter.preparer)),
        ("error", _error(letter.error)),
        ("created", f"{letter.created_at} ({_ago(letter.created_at, now=now)})"),
        ("failed", f"{letter.failed_at} ({_ago(letter.failed_at, now=now)})"),
        ("attempts", f"{letter.attempts_used} of {letter.max_attempts}"),
    ]
    if letter.retry_of is not UNSET:
        lines.append(("retry of", letter.retry_of))
    if letter.retried_as is not UNSET:
        lines.append(("retried as", f"{letter.retried_as} ({letter.retry_status})"))
    for name, value in lines:
        sys.stdout.write(f"{name:<12}{value}\n")
    sys.stdout.write("\n")
    sys.stdout.flush()
    print_table(_attempts(letter.attempts))


def print_retried(done: DeadLettersRetried) -> None:
    """What became of each, or would, and how many that are."""
    for job in done.jobs:
        if job.outcome == "created":
            sys.stdout.write(f"{job.job_id} retried as {job.retry_job_id}\n")
        elif job.outcome == "joined":
            sys.stdout.write(f"{job.job_id} is retried by {job.retry_job_id} already\n")
        elif job.outcome == "would_retry":
            sys.stdout.write(f"{job.job_id} would be retried\n")
    fresh = sum(job.outcome in ("created", "would_retry") for job in done.jobs)
    planned = any(job.outcome == "would_retry" for job in done.jobs)
    say(f"{fresh} dead letter{'' if fresh == 1 else 's'} {'would be retried' if planned else 'retried'}.")


def say_refused(done: DeadLettersRetried) -> None:
    """Which could not be retried, and why."""
    for job in done.jobs:
        if job.error is not UNSET:
            hint = f" {ONLY_FAILED}" if job.error.code == JobNotFound.code else ""
            say(f"{job.job_id}: {one_line(job.error.message)}{hint} [{job.error.code}]")


def _attempts(attempts: Sequence[AttemptReport]) -> Table:
    lines = table("attempt", "worker", "started", "took", "outcome", "error", folds=LONG)
    for attempt in attempts:
        lines.add_row(
            str(attempt.number),
            one_line(attempt.worker),
            attempt.started_at,
            _took(attempt.duration_s),
            "running" if attempt.outcome is UNSET else attempt.outcome,
            "" if attempt.error is UNSET else _error(attempt.error),
        )
    return lines


def _took(duration_s: float | UnsetType) -> str:
    if duration_s is UNSET:
        return ""
    return f"{duration_s:.2f} s" if duration_s < 10 else duration_words(duration_s)


def _ago(wire_time: str, *, now: datetime) -> str:
    return f"{duration_words((now - moment(wire_time)).total_seconds())} ago"


def _error(error: JobError) -> str:
    return f"{one_line(error.message)} [{error.code}]"
