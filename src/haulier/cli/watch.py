"""`watch`: all of a user's jobs, live."""

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER, Home, Token, Url, User

if TYPE_CHECKING:
    from haulier.cli.watching import Screen
    from haulier.client import Client

AWAY_S = 3_600.0  # the longest Retry-After that is waited for


def watch(
    once: Annotated[
        bool, typer.Option("--once", envvar="HAULIER_ONCE", help="Print the jobs as they are, and end.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", envvar="HAULIER_JSON", help="Print each change as a line of JSON on stdout.")
    ] = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Watch your jobs, newest first, until Ctrl-C.

    A live table in a terminal, a line for each change elsewhere. Jobs that wait or run are shown first, then those that
    ended while you watched. Goes on when the API was away.
    """
    from rich.console import Console

    from haulier.cli.access import connect
    from haulier.cli.signals import Signalled, until_signalled
    from haulier.cli.view import pause_words
    from haulier.cli.watching import screen_for
    from haulier.client import Patience

    screen = screen_for(Console(), json=json, once=once)
    client = connect(
        url=url,
        given_token=token,
        user=user,
        home=home,
        patience=None if once else Patience(tries=sys.maxsize, retry_after_max_s=AWAY_S),
        on_wait=lambda why, wait_s: screen.say(pause_words(why, wait_s)),
    )
    try:
        with screen:
            asyncio.run(until_signalled(_watch(client, screen, once=once)))
    except Signalled:
        return


async def _watch(client: "Client", screen: "Screen", *, once: bool) -> None:
    async with client, aclosing(client.follow_all()) as changes:
        async for job in changes:
            if job is not None:
                screen.show(job)
                continue
            screen.complete()
            if once:
                return
