"""`status`, `jobs` and `cancel`."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from haulier.cli.completing import job_ids
from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER, Home, Json, Token, Url, User, id_of
from haulier.job import Status

if TYPE_CHECKING:
    from haulier.client import Client
    from haulier.wire import JobPage, JobStatus

Job = Annotated[UUID, typer.Argument(metavar="JOB", hidden=True, parser=id_of, autocompletion=job_ids)]


def status(
    job: Job,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", envvar="HAULIER_WATCH", help="Follow it to its end; exit 3 or 4 if it failed."),
    ] = False,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Show a job, by the id that `haulier jobs` lists."""
    from haulier.cli.access import connect
    from haulier.cli.asking import answer, impatient
    from haulier.cli.signals import until_signalled
    from haulier.cli.stdout import print_json
    from haulier.client.getting import raise_unless_completed
    from haulier.clock import SYSTEM_CLOCK

    client = connect(url=url, given_token=token, user=user, home=home, patience=None if watch else impatient())

    async def ask(open_: "Client") -> "JobStatus":
        return await (until_signalled(_watch(open_, str(job))) if watch else open_.status(str(job)))

    seen = answer(client, ask)
    if json:
        print_json(seen)
    else:
        for name, value in _lines(seen, now=SYSTEM_CLOCK.now()):
            sys.stdout.write(f"{name:<12}{value}\n")
    if watch:
        raise_unless_completed(seen)


def jobs(
    status: Annotated[
        Status | None, typer.Option("--status", envvar="HAULIER_STATUS", help="Only jobs in this status.")
    ] = None,
    batch: Annotated[
        UUID | None,
        typer.Option("--batch", envvar="HAULIER_BATCH", metavar="BATCH", parser=id_of, help="Only jobs of this batch."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", envvar="HAULIER_LIMIT", min=1, max=100, metavar="N", help="How many.")
    ] = 20,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """List your jobs, newest first."""
    from haulier.cli.access import connect
    from haulier.cli.asking import answer, impatient
    from haulier.cli.stdout import print_json
    from haulier.clock import SYSTEM_CLOCK

    client = connect(url=url, given_token=token, user=user, home=home, patience=impatient())
    page = answer(client, lambda open_: open_.jobs(status=status, batch=batch and str(batch), limit=limit))
    if json:
        print_json(page)
    else:
        _print_table(page, now=SYSTEM_CLOCK.now())


def cancel(
    job: Job,
    batch: Annotated[
        bool, typer.Option("--batch", envvar="HAULIER_CANCEL_BATCH", help="JOB is a batch: cancel what it started.")
    ] = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Cancel a job. Fine when it is cancelled already; fails when it has finished."""
    from haulier.cli.access import connect
    from haulier.cli.asking import answer, impatient

    client = connect(url=url, given_token=token, user=user, home=home, patience=impatient())
    if batch:
        done = answer(client, lambda open_: open_.batches.cancel(str(job)))
        left = f"; {done.left} were over, or there before it" if done.left else ""
        sys.stdout.write(f"Cancelled {done.cancelled} jobs of batch {job}{left}\n")
        return
    answer(client, lambda open_: open_.cancel(str(job)))
    sys.stdout.write(f"Cancelled {job}\n")


def raise_if_incomplete(job: "JobStatus") -> None:
    """Name the files that are missing in an archive, with the exit code for it."""
    from msgspec import UNSET

    from haulier.cli.failures import INCOMPLETE, CommandFailed
    from haulier.cli.words import missing_words

    files = () if job.files is UNSET else job.files
    if missing := [file for file in files if file.status == "missing"]:
        lines = [missing_words(file.file_id, file.error) for file in missing]
        sentence = f"{len(missing)} of {len(files)} files are missing:"
        raise CommandFailed("\n".join([sentence, *lines]), exit_code=INCOMPLETE)


async def _watch(client: "Client", job_id: str) -> "JobStatus":
    from rich.console import Console

    from haulier.cli.view import view_for

    with view_for(Console(stderr=True), lines=True) as view:
        last = await client.status(job_id)
        async for last in client.follow(job_id):
            view.show_job(last)
    return last


def _lines(job: "JobStatus", *, now: datetime) -> list[tuple[str, str]]:
    from msgspec import UNSET

    from haulier.cli.words import duration_words, files_words, moment, one_line, size_words, state_words

    lines = [
        ("job", job.job_id),
        ("for", files_words(job)),
        ("status", job.status),
        ("progress", f"{job.progress} %"),
        ("created", f"{job.created_at} ({duration_words((now - moment(job.created_at)).total_seconds())} ago)"),
    ]
    doing = state_words(job, now=now)
    if doing != job.status:
        lines.append(("now", one_line(doing)))
    if job.attempt > 1:
        lines.append(("attempt", str(job.attempt)))
    for label, value in (("name", job.file_name), ("sha-256", job.sha256), ("kept until", job.expires_at)):
        if value is not UNSET:
            lines.append((label, one_line(value)))
    if job.file_size is not UNSET:
        lines.append(("size", size_words(job.file_size)))
    if job.error is not UNSET:
        lines.append(("error", f"{one_line(job.error.message)} [{job.error.code}]"))
    if job.retry_of is not UNSET:
        lines.append(("retry of", job.retry_of))
    return lines


def _print_table(page: "JobPage", *, now: datetime) -> None:
    from msgspec import UNSET

    from haulier.cli.printing import print_table, table
    from haulier.cli.words import duration_words, files_words, moment, size_words

    lines = table("job", "for", "status", "progress", "age", "size", right=("progress", "age", "size"))
    for job in page.jobs:
        age = duration_words((now - moment(job.created_at)).total_seconds())
        size = "" if job.file_size is UNSET else size_words(job.file_size)
        lines.add_row(job.job_id, files_words(job), job.status, f"{job.progress} %", age, size)
    print_table(lines)
    if page.total > len(page.jobs):
        sys.stderr.write(f"{len(page.jobs)} of {page.total} jobs; --limit shows more.\n")
