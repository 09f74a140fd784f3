"""Who opens a WebSocket, and from where: looked at before it is accepted, so that a refusal is an HTTP answer."""

import re
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from haulier.api.auth import Caller
from haulier.api.exchange import Answer, Exchange, json_answer
from haulier.api.requests import query_of
from haulier.api.services import Services
from haulier.errors import OriginNotAllowed
from haulier.settings import Settings

_VISIBLE = re.compile(r"[\x21-\x7e]{1,200}")


class SocketQuery(msgspec.Struct, frozen=True):
    ticket: Annotated[str, Meta(description="From POST /v1/tickets: opens one connection.")] = ""


async def ticket(exchange: Exchange, services: Services) -> Answer:
    """A ticket for who asks."""
    return json_answer(await services.tickets.issue(exchange.caller))


async def caller_of(exchange: Exchange, services: Services) -> Caller | None:
    """Who opens the connection, by header or by ticket; None when its first message is to tell.

    Raises OriginNotAllowed, InvalidRequest, Unauthenticated, HeadersTooLarge, Unavailable, EngineUnavailable.
    """
    check_origin(exchange, services.settings)
    authorization = exchange.header(b"authorization")
    if authorization is not None:
        return await services.tokens.caller(authorization)
    text = query_of(exchange, SocketQuery).ticket
    return await services.tickets.redeem(text) if text else None


def check_origin(exchange: Exchange, settings: Settings) -> None:
    """Raises OriginNotAllowed for a page that is neither ours nor one that the operator allows.

    Browsers always send an Origin; who sends none is no page.
    """
    origin = exchange.header(b"origin")
    if origin is None or "*" in settings.page_origins or origin in settings.page_origins:
        return
    scheme, host = _place(origin)
    if scheme in ("http", "https") and host:
        # Behind a proxy that ends TLS, the Host that it passes on is all that tells where the page came from.
        asked = _place(f"{scheme}://{exchange.header(b'host') or ''}")
        if (scheme, host) in (asked, _place(settings.base_url)):
            return
    raise OriginNotAllowed(origin=origin if _VISIBLE.fullmatch(origin) else "this origin")


def _place(url: str) -> tuple[str, str]:
    """Scheme and host with its port, unless that is the scheme's own."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", ""
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, f"{parts.hostname or ''}{'' if port in (None, default) else f':{port}'}"
