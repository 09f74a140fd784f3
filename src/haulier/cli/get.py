"""`get`: from a file id, or a job, to a verified file on disk."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haulier.cli.completing import job_ids
from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER, Home, Token, Url, User
from haulier.cli.stdout import STDOUT
from haulier.job import MAX_FILE_ID, MIN_FILE_ID

if TYPE_CHECKING:
    from haulier.cli.view import View

_JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def get(
    wanted: Annotated[list[str], typer.Argument(metavar="FILE_ID", hidden=True, autocompletion=job_ids)],
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", "--each", envvar="HAULIER_EACH", help="Each FILE_ID as a file of its own instead of one ZIP."
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", envvar="HAULIER_OUTPUT", metavar="PATH", help="File or folder to save to; - is stdout."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", envvar="HAULIER_FORCE", help="Replace an existing file.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            envvar="HAULIER_RESUME",
            help="Go on with PATH.part of an earlier run.",
        ),
    ] = True,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="Choose something of the file; repeat it for more. VALUE is JSON (6, true, [1]) or else text.",
            show_default=False,
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            envvar="HAULIER_ALLOW_MISSING",
            help="Leave what does not exist out of an archive instead of failing.",
        ),
    ] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="CHANNEL",
            help="Tell this channel of the outcome; repeat it for more. See haulier channels.",
            show_default=False,
        ),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt", envvar="HAULIER_RECEIPT", metavar="PATH", help="Save the signed receipt too, for `verify`."
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", envvar="HAULIER_QUIET", help="Say nothing but what goes wrong.")
    ] = False,
    progress: Annotated[
        bool,
        typer.Option("--progress", envvar="HAULIER_PROGRESS", help="Lines of progress where there is no terminal too."),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", envvar="HAULIER_JSON", help="Print each event as a line of JSON on stdout.")
    ] = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Prepare a file, follow it, download it and check its SHA-256.

    FILE_ID is a number from 10000 to 100000000; several become one ZIP. It may also be the id of a job, which is then
    taken up. Joins your job for the same if there is one. An interrupted download leaves PATH.part and the next run
    resumes it. Ctrl-C asks whether the job shall go on; where there is no terminal it goes on. With --batch, PATH is a
    folder, and files that cannot be had leave the others alone (exit code 5).
    `haulier preparers show --file FILE_ID` tells what --param may choose.
    """
    from haulier.cli.access import connect
    from haulier.cli.batch_run import BatchRun, folder_of
    from haulier.cli.getting import Run
    from haulier.cli.leaving import command, until_left, where_options
    from haulier.cli.quiet_views import telling_errors
    from haulier.cli.view import pause_words

    if output == "":
        raise typer.BadParameter("--output is empty; name a file or a folder, or leave it out")
    if json and output == STDOUT:
        raise typer.BadParameter("--json and --output - both want stdout; leave one out")
    job_id, file_ids = wanted_of(wanted)
    params = params_of(param or [])
    _refuse_what_does_not_fit(
        count=len(file_ids), batch=batch, chosen=bool(params), of_one=bool(allow_missing or receipt)
    )
    _refuse_what_comes_too_late(
        made=job_id is not None,
        given={"--batch": batch, "--param": bool(params), "--allow-missing": allow_missing, "--notify": bool(notify)},
    )
    view = _view(quiet=quiet, json=json, lines=progress)
    client = connect(
        url=url,
        given_token=token,
        user=user,
        home=home,
        on_wait=lambda why, wait_s: view.say(pause_words(why, wait_s)),
    )
    where = list(where_options(url=url, user=user, home=home))
    given = [
        *(("--param", each) for each in param or ()),
        ("-o", output),
        ("--receipt", receipt and str(receipt)),
        *(("--notify", each) for each in notify or ()),
    ]
    again = command(
        *("get", *wanted),
        flags={"--batch": batch, "--allow-missing": allow_missing, "--force": force},
        values=[*(part for name, value in given if value for part in (name, value)), *where],
    )
    run: Run | BatchRun
    if batch:
        run = BatchRun(client, view, folder=folder_of(output), force=force, resume=resume)
        work = run.run(file_ids, notify=notify or None)
    else:
        run = Run(client, view, output=output, receipt=receipt, force=force, resume=resume)
        work = (
            run.ask(file_ids, params=params, allow_missing=allow_missing, notify=notify or None)
            if job_id is None
            else run.take_up(job_id)
        )

    async def whole() -> None:
        async with client:
            await until_left(work, run, view, again=again, where=where)

    with telling_errors(json), view:
        asyncio.run(whole())


def _view(*, quiet: bool, json: bool, lines: bool) -> "View":
    from haulier.cli.quiet_views import JsonEvents, Quiet
    from haulier.cli.view import view_for

    if json:
        return JsonEvents()
    if quiet:
        return Quiet()
    from rich.console import Console

    return view_for(Console(stderr=True), lines=lines)


def wanted_of(given: Sequence[str]) -> tuple[str | None, list[int]]:
    """The job that is named, or the files. Raises BadParameter for what is neither."""
    if len(given) == 1 and _JOB.fullmatch(given[0]):
        return given[0].lower(), []
    file_ids: list[int] = []
    for word in given:
        if _JOB.fullmatch(word):
            raise typer.BadParameter("a job's id stands alone; get its file by itself", param_hint="FILE_ID")
        if not word.isdecimal() or len(word) > len(str(MAX_FILE_ID)) or not MIN_FILE_ID <= int(word) <= MAX_FILE_ID:
            raise typer.BadParameter(
                f"{word!r} is neither a number from {MIN_FILE_ID} to {MAX_FILE_ID} nor the id of a job",
                param_hint="FILE_ID",
            )
        file_ids.append(int(word))
    return None, list(dict.fromkeys(file_ids))


def _refuse_what_does_not_fit(*, count: int, batch: bool, chosen: bool, of_one: bool) -> None:
    if chosen and count > 1:
        raise typer.BadParameter("--param chooses for one file; ask for the files one by one")
    if batch and (chosen or of_one):
        raise typer.BadParameter("--param, --allow-missing and --receipt belong to one job; leave --batch out")


def _refuse_what_comes_too_late(*, made: bool, given: Mapping[str, bool]) -> None:
    late = " and ".join(name for name, is_given in given.items() if is_given)
    if made and late:
        raise typer.BadParameter(f"the job is made already; too late for {late}")


def params_of(given: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` as params: a VALUE that is JSON is that, any other is text. The last of a name counts."""
    import json

    params: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{each!r} is not NAME=VALUE", param_hint="--param")
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    return params
