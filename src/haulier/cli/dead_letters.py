"""`dead-letters`, `dead-letters show` and `dead-letters retry`: failed jobs, for the operator."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from haulier.cli.completing import letter_ids
from haulier.cli.options import DEFAULT_HOME, Home, Json, Token, Url, id_of

if TYPE_CHECKING:
    from haulier.client import Client
    from haulier.wire import DeadLetterPage, DeadLettersRetried

PAGE = 100
CHUNK = 200
OPERATOR = "operator"

Result = TypeVar("Result")


def _filter(name: str, metavar: str, text: str) -> Any:
    # Variables of their own: HAULIER_USER says who asks, and must not filter by the way.
    variable = f"HAULIER_DEAD_LETTERS_{name.upper()}"
    return typer.Option(f"--{name}", envvar=variable, metavar=metavar, help=text, show_default=False)


OfUser = Annotated[str | None, _filter("user", "NAME", "Only this user's jobs.")]
Code = Annotated[str | None, _filter("code", "CODE", "Only this error code.")]
Preparer = Annotated[str | None, _filter("preparer", "NAME", "Only this preparer.")]
Since = Annotated[str | None, _filter("since", "WHEN", "Failed since then: 2h (ago), or an RFC 3339 time.")]
Until = Annotated[str | None, _filter("until", "WHEN", "Failed before then.")]


def dead_letters(
    context: typer.Context,
    user: OfUser = None,
    code: Code = None,
    preparer: Preparer = None,
    since: Since = None,
    until: Until = None,
    retried: Annotated[
        bool | None,
        typer.Option(
            "--retried/--not-retried",
            envvar="HAULIER_DEAD_LETTERS_RETRIED",
            help="Only those that were retried, or not.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", envvar="HAULIER_LIMIT", min=1, max=10_000, metavar="N", help="How many.")
    ] = 20,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """List failed jobs of all users, the latest failure first. Needs an admin's token."""
    if context.invoked_subcommand:
        refuse_early_options(context)
        return
    from haulier.cli.dead_letters_view import print_page
    from haulier.cli.stdout import print_json

    filters = _filters(user=user, code=code, preparer=preparer, since=since, until=until)
    page = _ask(url, token, home, lambda client: _pages(client, filters | {"retried": retried}, limit=limit))
    if json:
        print_json(page)
    else:
        print_page(page)


def show(
    job: Annotated[UUID, typer.Argument(metavar="JOB", hidden=True, parser=id_of, autocompletion=letter_ids)],
    json: Json = False,
    url: Url = None,
    token: Token = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Show a failed job with its attempts: worker, duration and error of each."""
    from haulier.cli.dead_letters_view import ONLY_FAILED, print_letter
    from haulier.cli.failures import CommandFailed
    from haulier.cli.stdout import print_json
    from haulier.client import ApiError
    from haulier.errors import JobNotFound

    try:
        letter = _ask(url, token, home, lambda client: client.dead_letters.get(str(job)))
    except ApiError as error:
        if error.code == JobNotFound.code:
            raise CommandFailed(f"{job}: {error} {ONLY_FAILED} [{error.code}, request {error.request_id}]") from None
        raise
    if json:
        print_json(letter)
    else:
        print_letter(letter)


def retry(
    jobs: Annotated[
        list[UUID] | None, typer.Argument(metavar="JOB", hidden=True, parser=id_of, autocompletion=letter_ids)
    ] = None,
    user: OfUser = None,
    code: Code = None,
    preparer: Preparer = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not retried yet.")] = False,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            "-n",
            envvar="HAULIER_DEAD_LETTERS_LIMIT",
            min=1,
            max=10_000,
            metavar="N",
            help="Most that filters pick.",
        ),
    ] = 1_000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="HAULIER_DRY_RUN", help="Say what would be retried, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Retry failed jobs: the JOBs named, or those that match filters, or all.

    Each becomes a new job of its own user, beyond that user's rate and quota. Filters pick what was not retried yet.
    Asks before it retries more than one.
    """
    from msgspec.structs import replace

    from haulier.cli.dead_letters_view import print_retried, say_refused
    from haulier.cli.failures import CommandFailed, say
    from haulier.cli.stdout import print_json

    named = [str(job) for job in dict.fromkeys(jobs or [])]
    filters = _filters(user=user, code=code, preparer=preparer, since=since, until=until)
    if sum((bool(named), any(filters.values()), everything)) != 1:
        raise typer.BadParameter("say in exactly one way what to retry: JOBs, filters (--code, --user, …) or --all")
    if not (yes or dry_run or len(named) == 1 or sys.stdin.isatty()):
        raise typer.BadParameter("nobody can be asked without a terminal; --yes retries, --dry-run only looks")

    plan = _ask(url, token, home, lambda client: _plan(client, named, filters, everything=everything, limit=limit))
    fresh = sum(job.outcome == "would_retry" for job in plan.jobs)
    if plan.more:
        say(f"More match than the latest {limit}; --limit picks more at a time.")
    done = plan
    if not dry_run:
        if fresh > 1 and not yes:
            _confirm(fresh)
        chosen = [job.job_id for job in plan.jobs if job.outcome != "refused"]
        done = _ask(url, token, home, lambda client: _retry(client, chosen))
        done = replace(done, jobs=(*done.jobs, *(job for job in plan.jobs if job.outcome == "refused")))
    print_json(done) if json else print_retried(done)
    say_refused(done)
    if done.more and not dry_run:
        raise CommandFailed("The service stopped on the way. The same command goes on; nothing is retried twice.")
    if any(job.outcome == "refused" for job in done.jobs):
        raise CommandFailed("Not all of them could be retried.")


def _confirm(count: int) -> None:
    """Return after a yes."""
    from haulier.cli.failures import FAILURE, INTERRUPTED, CommandFailed

    try:
        exit_code = 0 if typer.confirm(f"Retry {count} dead letters?", err=True) else FAILURE
    except typer.Abort:
        sys.stderr.write("\n")
        exit_code = INTERRUPTED
    if exit_code:
        raise CommandFailed("Nothing was retried.", exit_code=exit_code)


def refuse_early_options(context: typer.Context) -> None:
    """An option before the subcommand would count for nothing, and a filter is nothing to lose."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"options stand behind `{context.invoked_subcommand}`")


def _filters(**given: str | None) -> dict[str, str | None]:
    """The filters as the API takes them: moments become RFC 3339."""
    from haulier.cli.moments import moment_of
    from haulier.clock import SYSTEM_CLOCK, wire_time

    for name in ("since", "until"):
        text = given[name]
        if text is None:
            continue
        try:
            given[name] = wire_time(moment_of(text, now=SYSTEM_CLOCK.now()))
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} {error}", param_hint=f"--{name}") from None
    return given


def _ask(url: str | None, token: str | None, home: Path, ask: Callable[["Client"], Awaitable[Result]]) -> Result:
    from haulier.cli.access import connect
    from haulier.cli.asking import answer, impatient
    from haulier.limits import Role

    client = connect(url=url, given_token=token, user=OPERATOR, role=Role.ADMIN, home=home, patience=impatient())
    return answer(client, ask)


async def _pages(client: "Client", filters: dict[str, Any], *, limit: int) -> "DeadLetterPage":
    """Up to `limit` letters, in as many requests as it takes."""
    from haulier.wire import DeadLetterPage

    found: list[Any] = []
    cursor = None
    while True:
        page = await client.dead_letters.page(**filters, limit=min(PAGE, limit - len(found)), cursor=cursor)
        found += page.dead_letters
        cursor = page.next_cursor
        if cursor is None or len(found) >= limit:
            return DeadLetterPage(tuple(found), limit, cursor)


async def _plan(
    client: "Client", named: list[str], filters: dict[str, str | None], *, everything: bool, limit: int
) -> "DeadLettersRetried":
    if not named:
        return await client.dead_letters.retry_matching(**filters, everything=everything, limit=limit, dry_run=True)
    return await _retry(client, named, dry_run=True)


async def _retry(client: "Client", job_ids: list[str], *, dry_run: bool = False) -> "DeadLettersRetried":
    """Exactly these, in requests that are short enough for any proxy, until one is not done to its end."""
    from haulier.wire import DeadLettersRetried

    done: list[DeadLettersRetried] = []
    for start in range(0, len(job_ids), CHUNK):
        done.append(await client.dead_letters.retry(job_ids[start : start + CHUNK], dry_run=dry_run))
        if done[-1].more:
            break
    return DeadLettersRetried(
        matched=sum(each.matched for each in done),
        retried=sum(each.retried for each in done),
        more=any(each.more for each in done),
        jobs=tuple(job for each in done for job in each.jobs),
    )
