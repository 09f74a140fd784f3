"""Commands of `channels` for e-mail and apprise, and `vapid-key`."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from haulier.cli.channels import ChannelId, Events, Label, NamedOnly, ask, events_of
from haulier.cli.home import surroundings
from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER, Home, Json, Token, Url, User

if TYPE_CHECKING:
    from haulier.wire_channel_kinds import ChannelKinds
    from haulier.wire_channels import ChannelWithSecret

Language = Annotated[
    Literal["en", "de"], typer.Option("--language", envvar="HAULIER_CHANNEL_LANGUAGE", help="en or de.")
]


def add_email(
    address: Annotated[str, typer.Argument(metavar="[ADDRESS]", hidden=True)] = "",
    language: Language = "en",
    on: Events = None,
    named_only: NamedOnly = False,
    label: Label = "",
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Add e-mails to ADDRESS, or to the one that the token vouches for; any other is confirmed with a code first."""
    events = events_of(on)
    made = ask(
        url,
        token,
        user,
        home,
        lambda client: client.channels.add_email(
            address, language=language, events=events, every_job=not named_only, label=label
        ),
    )
    _tell(made, json=json)


def add_apprise(
    address: Annotated[str, typer.Argument(metavar="[URL]", hidden=True)] = "",
    name: Annotated[
        str,
        typer.Option("--name", envvar="HAULIER_CHANNEL_NAME", metavar="NAME", help="A place that the operator named."),
    ] = "",
    language: Language = "en",
    on: Events = None,
    named_only: NamedOnly = False,
    label: Label = "",
    json: Json = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Add messages to an apprise URL, or to a place of the operator's.

    The URL is a secret, and other users of this machine see the command line: give - and write it on stdin.
    """
    if bool(address) == bool(name):
        raise typer.BadParameter("give a URL, - for one on stdin, or --name")
    place, events = sys.stdin.readline().strip() if address == "-" else address, events_of(on)
    made = ask(
        url,
        token,
        user,
        home,
        lambda client: client.channels.add_apprise(
            place, name=name, language=language, events=events, every_job=not named_only, label=label
        ),
    )
    _tell(made, json=json)


def confirm(
    channel: ChannelId,
    code: Annotated[str, typer.Argument(metavar="CODE", hidden=True)],
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Confirm a channel with the code that was mailed."""
    ask(url, token, user, home, lambda client: client.channels.confirm(str(channel), code))
    sys.stdout.write(f"{channel} is confirmed\n")


def send_code(
    channel: ChannelId, url: Url = None, token: Token = None, user: User = DEFAULT_USER, home: Home = DEFAULT_HOME
) -> None:
    """Have another code mailed; also to an address whose reader switched the channel off."""
    sent = ask(url, token, user, home, lambda client: client.channels.send_code(str(channel)))
    if sent.status == "unconfirmed":
        _say_confirm(sent.channel_id)
    else:
        sys.stdout.write(f"{channel} needs no code: it is {sent.status}\n")


def kinds(
    json: Json = False, url: Url = None, token: Token = None, user: User = DEFAULT_USER, home: Home = DEFAULT_HOME
) -> None:
    """List which kinds of channels the installation offers you."""
    from haulier.cli.stdout import print_json

    found = ask(url, token, user, home, lambda client: client.channels.kinds())
    print_json(found) if json else _print_kinds(found)


def make_vapid_key(
    public: Annotated[
        bool, typer.Option("--public", envvar="HAULIER_PUBLIC", help="Print the public key of HAULIER_VAPID_KEY.")
    ] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Make a fresh private key for HAULIER_VAPID_KEY.

    Browsers subscribe with its public key: when the key changes, all of them have to subscribe again.
    """
    from haulier import settings
    from haulier.destinations.vapid_keys import fresh_vapid_key, public_point, vapid_key
    from haulier.errors import ConfigurationError

    if not public:
        sys.stdout.write(f"{fresh_vapid_key()}\n")
        return
    loaded = settings.load(surroundings(home))
    if not loaded.vapid_key:
        raise ConfigurationError(problems="HAULIER_VAPID_KEY: is required, or --home with a running `haulier up`")
    sys.stdout.write(f"{public_point(vapid_key(loaded.vapid_key.reveal()))}\n")


def _tell(made: "ChannelWithSecret", *, json: bool) -> None:
    from haulier.cli.stdout import print_json

    if json:
        print_json(made)
        return
    sys.stdout.write(f"channel  {made.channel_id}\nto       {made.target}\n")
    sys.stdout.flush()
    if made.status == "unconfirmed":
        _say_confirm(made.channel_id)


def _say_confirm(channel_id: str) -> None:
    from haulier.cli.failures import say

    say(f"A code is on its way. `haulier channels confirm {channel_id} CODE` confirms the address.")


def _print_kinds(found: "ChannelKinds") -> None:
    from msgspec import UNSET

    services = [f"{service.schema}://" for service in found.apprise.services]
    lines = (
        ("webhook", found.webhook.offered, ""),
        ("email", found.email.offered, "" if found.email.confirmed_address is UNSET else found.email.confirmed_address),
        ("push", found.push.offered, ""),
        ("apprise", found.apprise.offered, " ".join([*found.apprise.names, *services])),
    )
    for name, offered, more in lines:
        sys.stdout.write(f"{name:<8} {'yes' if offered else 'no ':<4} {more if offered else ''}".rstrip() + "\n")
