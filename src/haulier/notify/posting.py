"""What senders over HTTP have in common before there is an answer: one POST, to an address checked just before."""

from collections.abc import Mapping

import httpx

from haulier import __version__
from haulier.addresses import CheckedTransport
from haulier.channel_rules import channel_rules
from haulier.errors import SourceRefused
from haulier.settings import Settings

TIMEOUT_S = 15.0
CONNECT_S = 5.0


def checked_transport(settings: Settings) -> CheckedTransport:
    """Connects to where channels may lead and nowhere else."""
    return CheckedTransport(rules=channel_rules(settings), timeout_s=CONNECT_S)


def post(url: str, *, body: bytes, headers: Mapping[str, str]) -> httpx.Request:
    """The request, with CONNECT_S and TIMEOUT_S for each of its steps; for all of it the sender has to keep time."""
    patience = httpx.Timeout(TIMEOUT_S, connect=CONNECT_S)
    return httpx.Request(
        "POST",
        url,
        content=body,
        headers={"user-agent": f"Haulier/{__version__}", **headers},
        extensions={"timeout": patience.as_dict()},
    )


def not_allowed(error: SourceRefused) -> str:
    """Why nothing was sent to an address that the transport refused."""
    return f"its address is not allowed: {error.facts['reason']}"
