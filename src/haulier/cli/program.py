"""The commands of the program, put together."""

import sys
from typing import Annotated, Any

import typer

from haulier.cli import (
    access,
    channels,
    dead_letters,
    doctor,
    get,
    jobs,
    notices,
    openapi,
    preparers,
    receipts,
    services,
    storage,
    verify,
    watch,
)
from haulier.cli.failures import EXIT_CODES
from haulier.cli.shape import Command, Group, Program, examples


def _version(asked: bool) -> None:
    if asked:
        from haulier import __version__

        sys.stdout.write(f"haulier {__version__}\n")
        raise typer.Exit


app = typer.Typer(
    cls=Program,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\n\n".join(
        [
            examples(
                "haulier up --demo            everything on this machine, with files to try",
                "haulier get 70000            prepare file 70000, follow it, download and verify it",
                "haulier doctor               check settings and dependencies",
            ),
            "Every option is also an environment variable; `haulier COMMAND --help` names it.",
            EXIT_CODES,
        ]
    ),
)


@app.callback()
def program(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="HAULIER_DEBUG", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Prepares downloads that take too long for one HTTP request."""


def _add(command: Any, summary: str, *lines: str, to: typer.Typer = app, name: str | None = None) -> None:
    to.command(name, cls=Command, short_help=summary, epilog=examples(*lines))(command)


def _group(name: str, command: Any, summary: str, *lines: str) -> typer.Typer:
    """A command that has further commands."""
    group = typer.Typer(cls=Group, rich_markup_mode=None, context_settings={"max_content_width": 100})
    group.callback(invoke_without_command=True)(command)
    app.add_typer(group, name=name, short_help=summary, epilog=examples(*lines))
    return group


_add(
    services.up,
    "Start everything on this machine.",
    "haulier up --demo",
    "haulier up --home /srv/haulier --workers 4 --port 9000",
)
_add(
    get.get,
    "Prepare, download and verify a file.",
    "haulier get 70000",
    "haulier get 70000 70001 -o both.zip",
    "haulier get --batch 70000 70001 -o downloads/",
    "haulier get 70000 -o - | tar tz",
    "haulier get 70002 --param columns=6 --param format=pdf",
    "haulier get 70000 -o report.zip --receipt report.receipt.json",
)
_add(jobs.status, "Show or watch a job.", "haulier status 0193f2a0-0000-7000-8000-000000000000 --watch")
_add(
    watch.watch,
    "Watch your jobs live.",
    "haulier watch",
    "haulier watch --json | jq -r '[.job_id, .status, .progress] | @tsv'",
)
_add(jobs.jobs, "List your jobs.", "haulier jobs --status processing", "haulier jobs --json | jq -r '.jobs[].job_id'")
_add(jobs.cancel, "Cancel a job.", "haulier cancel 0193f2a0-0000-7000-8000-000000000000")
_add(
    receipts.receipt,
    "Print or save the signed receipt of a job.",
    "haulier receipt 0193f2a0-0000-7000-8000-000000000000 -o report.receipt.json",
    "haulier receipt --keys -o receipt-keys.json",
)
_add(
    verify.verify,
    "Check a file against its receipt, offline.",
    "haulier verify report.zip --receipt report.receipt.json --keys receipt-keys.json",
    "haulier verify report.zip --receipt report.receipt.json --url https://downloads.example.com",
)
_channels = _group(
    "channels",
    channels.channels,
    "Be told how jobs end: webhooks and what came of them.",
    "haulier channels",
    "haulier channels add-webhook https://example.com/hook --on failed",
    "haulier channels log 0193f2a0-0000-7000-8000-000000000000",
)
_add(channels.show_all, "List your channels.", "haulier channels list --json", to=_channels, name="list")
_add(
    channels.add_webhook,
    "Add a webhook and print its secret.",
    "haulier channels add-webhook https://example.com/hook",
    "haulier channels add-webhook https://example.com/hook --on failed --label alerts --ed25519",
    to=_channels,
)
_add(
    notices.add_email,
    "Add e-mails to an address.",
    "haulier channels add-email anna@example.com --language de",
    "haulier channels add-email",
    to=_channels,
)
_add(
    notices.confirm,
    "Confirm a channel with the code that was mailed.",
    "haulier channels confirm 0193f2a0-0000-7000-8000-000000000000 123456",
    to=_channels,
)
_add(
    notices.send_code,
    "Have another code mailed.",
    "haulier channels send-code 0193f2a0-0000-7000-8000-000000000000",
    to=_channels,
    name="send-code",
)
_add(
    notices.add_apprise,
    "Add what apprise reaches: Slack, Telegram, …",
    "haulier channels add-apprise - < slack-url.txt",
    "haulier channels add-apprise --name ops --on failed",
    to=_channels,
)
_add(notices.kinds, "List which kinds of channels there are.", "haulier channels kinds --json", to=_channels)
_add(
    channels.rotate,
    "Make a new secret and print it.",
    "haulier channels rotate 0193f2a0-0000-7000-8000-000000000000",
    to=_channels,
)
_add(
    channels.send_test,
    "Send a test.",
    "haulier channels test 0193f2a0-0000-7000-8000-000000000000",
    to=_channels,
    name="test",
)
_add(
    channels.log,
    "Show what was delivered, and what was tried.",
    "haulier channels log 0193f2a0-0000-7000-8000-000000000000",
    to=_channels,
)
_add(
    channels.redeliver,
    "Deliver something once more.",
    "haulier channels redeliver 0193f2a0-0000-7000-8000-000000000000",
    to=_channels,
)
_add(
    channels.enable,
    "Deliver to a disabled channel again.",
    "haulier channels enable 0193f2a0-0000-7000-8000-000000000000",
    to=_channels,
)
_add(channels.remove, "Remove a channel.", "haulier channels remove 0193f2a0-0000-7000-8000-000000000000", to=_channels)
_letters = _group(
    "dead-letters",
    dead_letters.dead_letters,
    "List, show and retry failed jobs (for admins).",
    "haulier dead-letters --since 2h",
    "haulier dead-letters --code source_unavailable --not-retried --json",
    "haulier dead-letters show 0193f2a0-0000-7000-8000-000000000000",
    "haulier dead-letters retry --code source_unavailable --since 2h --dry-run",
)
_add(
    dead_letters.show,
    "Show a failed job and its attempts.",
    "haulier dead-letters show 0193f2a0-0000-7000-8000-000000000000",
    to=_letters,
)
_add(
    dead_letters.retry,
    "Retry failed jobs.",
    "haulier dead-letters retry 0193f2a0-0000-7000-8000-000000000000",
    "haulier dead-letters retry --code source_unavailable --since 2h",
    "haulier dead-letters retry --all --yes",
    to=_letters,
)
_add(access.token, "Make a bearer token.", "haulier token --user ada --role premium --ttl 86400")
_add(
    receipts.receipt_key,
    "Make a key that signs receipts.",
    "haulier receipt-key",
    "haulier receipt-key --public",
)
_add(
    notices.make_vapid_key,
    "Make a key for browser push.",
    "haulier vapid-key",
    "haulier vapid-key --public",
    name="vapid-key",
)
_add(
    access.env,
    "Print a running home's addresses and secrets.",
    "haulier env",
    'eval "$(haulier env --export)" && psql "$HAULIER_DATABASE_URL"',
)
_add(
    doctor.doctor,
    "Check settings and dependencies, say what to do.",
    "haulier doctor",
    "haulier doctor --home /srv/haulier",
)
_add(
    openapi.openapi,
    "Print the OpenAPI document.",
    "haulier openapi > openapi.json",
    "haulier openapi --url https://downloads.example.com | jq -r '.paths | keys[]'",
)
_preparers = _group(
    "preparers",
    preparers.preparers,
    "List what makes files, and what it takes.",
    "haulier preparers",
    "haulier preparers show archive",
    "haulier preparers --json | jq -r '.[].name'",
)
_add(
    preparers.show,
    "Show a preparer's parameters.",
    "haulier preparers show archive",
    "haulier preparers show --file 70005",
    "haulier preparers show simulate --json | jq .params",
    to=_preparers,
)
_add(services.api, "Run the API.", "haulier api --host 0.0.0.0 --port 8080")
_add(services.worker, "Run a worker.", "haulier worker --concurrency 20")
_add(services.migrate, "Bring the database up to date.", "haulier migrate")
_storage = _group(
    "storage",
    storage.storage,
    "Prepare the object store.",
    "haulier storage init --dry-run",
    "haulier storage init",
)
_add(
    storage.init,
    "Create the bucket and its rules, or the folder.",
    "haulier storage init --dry-run",
    "HAULIER_STORAGE_CORS_ORIGINS=https://app.example haulier storage init",
    to=_storage,
)
