"""`get`: from a file id to a verified file on disk."""

import asyncio
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haulier.cli.options import DEFAULT_HOME, Home, Json, Token, Url, User
from haulier.job import MAX_FILE_ID, MIN_FILE_ID

if TYPE_CHECKING:
    from haulier.cli.view import View
    from haulier.client import Client
    from haulier.wire import JobStatus

STDOUT = "-"


def get(
    file_ids: Annotated[list[int], typer.Argument(metavar="FILE_ID", min=MIN_FILE_ID, max=MAX_FILE_ID, hidden=True)],
    each: Annotated[
        bool,
        typer.Option("--each", envvar="HAULIER_EACH", help="Each FILE_ID as a file of its own instead of one ZIP."),
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
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt", envvar="HAULIER_RECEIPT", metavar="PATH", help="Save the signed receipt too, for `verify`."
        ),
    ] = None,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = "demo",
    home: Home = DEFAULT_HOME,
) -> None:
    """Prepare a file, follow it, download it and check its SHA-256.

    FILE_ID is a number from 10000 to 100000000; several become one ZIP. Joins your job for the same if there is one. An
    interrupted download leaves PATH.part and is resumed by the next run; Ctrl-C leaves the job running. With --each,
    PATH is a folder, and files that cannot be had leave the others alone (exit code 5).
    `haulier preparers show --file FILE_ID` tells what --param may choose.
    """
    from rich.console import Console

    from haulier.cli.access import connect
    from haulier.cli.each import get_each
    from haulier.cli.failures import INTERRUPTED, CommandFailed
    from haulier.cli.printing import print_json
    from haulier.cli.view import pause_words, view_for

    if json and output == STDOUT:
        raise typer.BadParameter("--json and --output - both want stdout; leave one out")
    params = params_of(param or [])
    if params and len(file_ids) > 1:
        raise typer.BadParameter("--param chooses for one file; ask for the files one by one")
    if each and (params or allow_missing or receipt):
        raise typer.BadParameter("--param, --allow-missing and --receipt belong to one job; leave --each out")
    console = Console(stderr=True)
    view = view_for(console)
    if each:
        get_each(
            file_ids, view, output=output, force=force, json=json, url=url, given_token=token, user=user, home=home
        )
        return
    client = connect(
        url=url,
        given_token=token,
        user=user,
        home=home,
        on_wait=lambda why, wait_s: view.say(pause_words(why, wait_s)),
    )
    run = Run(client, view, output=output, receipt=receipt, force=force)
    try:
        with view:
            asyncio.run(run.run(file_ids, params=params, allow_missing=allow_missing))
    except KeyboardInterrupt:
        given = [part for each in param or [] for part in ("--param", each)]
        given += ["--allow-missing"] if allow_missing else []
        given += ["-o", output] if output else []
        given += ["--receipt", str(receipt)] if receipt else []
        again = shlex.join(["haulier", "get", *map(str, file_ids), *given])
        raise CommandFailed(run.after_interrupt(again), exit_code=INTERRUPTED) from None
    finally:
        if json and run.job is not None:
            print_json(run.job)


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


class Run:
    """One `haulier get`. `job` is the last status seen, also after an interruption."""

    def __init__(
        self, client: "Client", view: "View", *, output: str | None, receipt: Path | None, force: bool
    ) -> None:
        self.job: JobStatus | None = None
        self._client = client
        self._view = view
        self._output = output
        self._receipt = receipt
        self._force = force

    async def run(self, file_ids: list[int], *, params: Mapping[str, Any], allow_missing: bool) -> None:
        """Raises CommandFailed with the exit codes of a failed and of a cancelled job."""
        from haulier.cli.jobs import raise_if_incomplete, raise_unless_completed

        self._refuse_existing()
        several = len(file_ids) > 1
        async with self._client:
            self.job = await self._client.initiate(
                file_ids[0] if len(file_ids) == 1 else file_ids, params=params, allow_missing=allow_missing
            )
            self._view.show_job(self.job)
            async for job in self._client.follow(self.job.job_id, files=not several):
                self.job = job
                self._view.show_job(job)
            raise_unless_completed(self.job)
            await self._save(self.job)
            await self._save_receipt(self.job)

            if several:
                self.job = await self._client.status(self.job.job_id)
                raise_if_incomplete(self.job)

    def after_interrupt(self, again: str) -> str:
        if self.job is None:
            return "Interrupted."
        if self.job.status == "completed":
            return f"Interrupted. `{again}` continues the download."
        return f"Interrupted; the job goes on. `{again}` continues, `haulier cancel {self.job.job_id}` stops it."

    def _refuse_existing(self) -> None:
        """Before anything is prepared, as far as the name is known."""
        from haulier.cli.receipts import refuse_existing
        from haulier.client import TargetExists

        if self._output and self._output != STDOUT and not self._force and Path(self._output).is_file():
            raise TargetExists(Path(self._output))
        if self._receipt:
            refuse_existing(self._receipt, force=self._force)

    async def _save(self, job: "JobStatus") -> None:
        from haulier.cli.words import size_words
        from haulier.client.getting import target
        from haulier.client.sinks import StreamSink

        if self._output == STDOUT:
            await self._client.save_into(job, StreamSink(_to_stdout), on_progress=self._view.show_bytes)
            return
        path = target(self._output or ".", job)
        got = await self._client.save(job, path, force=self._force, on_progress=self._view.show_bytes)
        checked = "SHA-256 verified" if got.verified else "size verified; the service knows no SHA-256 for it"
        self._view.say(f"Saved {path} ({size_words(got.size)}, {checked}: {got.sha256})")

    async def _save_receipt(self, job: "JobStatus") -> None:
        from haulier.cli.receipts import job_document, save

        if self._receipt:
            save(self._receipt, await job_document(self._client, job.job_id), force=self._force)
            self._view.say(f"Saved the receipt as {self._receipt}")


def _to_stdout(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
