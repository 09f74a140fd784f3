"""`channels` and its commands: where outcomes of jobs are told, and what was told there."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from haulier.cli.completing import channel_ids
from haulier.cli.dead_letters import refuse_early_options
from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER, Home, Json, Token, Url, User, id_of

if TYPE_CHECKING:
    from haulier.client import Client
    from haulier.wire_channels import ChannelWithSecret, EventName

Result = TypeVar("Result")
ChannelId = Annotated[UUID, typer.Argument(metavar="CHANNEL", hidden=True, parser=id_of, autocompletion=channel_ids)]
EVENTS: dict[str, "EventName"] = {"completed": "job.completed", "failed": "job.failed", "cancelled": "job.cancelled"}


Events = Annotated[
    list[str] | None,
    typer.Option(
        "--on", envvar="HAULIER_CHANNEL_EVENTS", metavar="EVENT", help="completed, failed or cancelled; default all."
    ),
]
NamedOnly = Annotated[
    bool,
    typer.Option("--named-only", envvar="HAULIER_CHANNEL_NAMED_ONLY", help="Hear only of jobs that name the channel."),
]
Label = Annotated[
    str, typer.Option("--label", envvar="HAULIER_CHANNEL_LABEL", metavar="TEXT", help="A name of your own for it.")
]


def channels(
    context: typer.Context,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """List your channels: what they hear of, where they lead, and whether that works."""
    if context.invoked_subcommand:
        refuse_early_options(context)
        return
    show_all(json=json, url=url, token=token, user=user, home=home)


def show_all(
    json: Json = False, url: Url = None, token: Token = None, user: User = DEFAULT_USER, home: Home = DEFAULT_HOME
) -> None:
    """List your channels."""
    from haulier.cli.channels_view import print_channels
    from haulier.cli.stdout import print_json

    found = ask(url, token, user, home, lambda client: client.channels.all())
    print_json(found) if json else print_channels(found)


def add_webhook(
    address: Annotated[str, typer.Argument(metavar="URL", hidden=True)],
    on: Events = None,
    named_only: NamedOnly = False,
    label: Label = "",
    ed25519: Annotated[
        bool,
        typer.Option("--ed25519", envvar="HAULIER_CHANNEL_ED25519", help="Sign with a key pair, not a shared secret."),
    ] = False,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Add a webhook that posts to URL, and print its secret, which is not shown again."""
    events = events_of(on)
    made = ask(
        url,
        token,
        user,
        home,
        lambda client: client.channels.add_webhook(
            address,
            events=events,
            every_job=not named_only,
            label=label,
            signature="ed25519" if ed25519 else "hmac",
        ),
    )
    _print_secret(made, json=json)


def rotate(
    channel: ChannelId,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Make a new secret and print it; the one before signs too for 24 hours."""
    _print_secret(ask(url, token, user, home, lambda client: client.channels.rotate(str(channel))), json=json)


def enable(
    channel: ChannelId, url: Url = None, token: Token = None, user: User = DEFAULT_USER, home: Home = DEFAULT_HOME
) -> None:
    """Deliver to a disabled channel again."""
    ask(url, token, user, home, lambda client: client.channels.enable(str(channel)))
    sys.stdout.write(f"{channel} is enabled\n")


def remove(
    channel: ChannelId, url: Url = None, token: Token = None, user: User = DEFAULT_USER, home: Home = DEFAULT_HOME
) -> None:
    """Remove a channel with its deliveries, those that wait included."""
    ask(url, token, user, home, lambda client: client.channels.remove(str(channel)))
    sys.stdout.write(f"{channel} is removed\n")


def send_test(
    channel: ChannelId,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Send a test to a channel. `haulier channels log` tells what came of it."""
    from haulier.cli.stdout import print_json

    queued = ask(url, token, user, home, lambda client: client.channels.test(str(channel)))
    print_json(queued) if json else sys.stdout.write(f"{queued.delivery_id} is on its way\n")


def log(
    channel: ChannelId,
    limit: Annotated[
        int, typer.Option("--limit", "-n", envvar="HAULIER_LIMIT", min=1, max=100, metavar="N", help="How many.")
    ] = 20,
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Show what was delivered to a channel, and what was tried."""
    from haulier.cli.channels_view import print_log
    from haulier.cli.stdout import print_json

    page = ask(url, token, user, home, lambda client: client.channels.deliveries(str(channel), limit=limit))
    print_json(page) if json else print_log(page)


def redeliver(
    delivery: Annotated[UUID, typer.Argument(metavar="DELIVERY", hidden=True, parser=id_of)],
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Deliver something once more, with the same id."""
    from haulier.cli.stdout import print_json

    queued = ask(url, token, user, home, lambda client: client.channels.redeliver(str(delivery)))
    print_json(queued) if json else sys.stdout.write(f"{queued.delivery_id} is on its way\n")


def events_of(on: list[str] | None) -> "list[EventName] | None":
    """The events that --on names; None for all of them."""
    if wrong := [event for event in on or () if event not in EVENTS]:
        raise typer.BadParameter(f"{wrong[0]!r} is none of {', '.join(EVENTS)}", param_hint="--on")
    return [EVENTS[event] for event in on] if on else None


def _print_secret(made: "ChannelWithSecret", *, json: bool) -> None:
    from haulier.cli.channels_view import print_secret
    from haulier.cli.stdout import print_json

    print_json(made) if json else print_secret(made)


def ask(
    url: str | None, token: str | None, user: str, home: Path, call: Callable[["Client"], Awaitable[Result]]
) -> Result:
    """What the API answers to `call`, for the user that the options name."""
    from haulier.cli.access import connect
    from haulier.cli.asking import answer, impatient

    return answer(connect(url=url, given_token=token, user=user, home=home, patience=impatient()), call)
