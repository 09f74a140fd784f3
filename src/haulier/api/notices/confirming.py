"""Confirming a channel with the code that was mailed, and switching one off by the link in its e-mails."""

import hmac
import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from haulier.api.bodies import body_of
from haulier.api.exchange import Answer, Exchange, Headers, json_answer
from haulier.api.notices.channel_kinds import KINDS
from haulier.api.notices.channels import asker_of, opened, own_channel, view
from haulier.api.notices.code_limits import limited
from haulier.api.requests import query_of
from haulier.api.services import Services
from haulier.clock import instant
from haulier.errors import ChannelChanged, CodeOver, StopLinkUnknown, WrongCode
from haulier.ledger import Channel
from haulier.sealing import channel_secrets
from haulier.stop_tokens import StopTokens, channel_named_by
from haulier.wire_channel_kinds import ConfirmRequest

STOP_PATH = "/v1/unsubscribe"
MOST_TRIES = 5
SWITCHED_OFF = "switched off by the link in an e-mail"
_PAGE: Headers = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"private, no-store"),
    (b"content-security-policy", b"default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
)
_QUESTION = {
    "en": "Do you want no more of these e-mails?",
    "de": "Möchten Sie keine weiteren E-Mails dieser Art?",  # codespell:ignore
}
_BUTTON = {"en": "No more e-mails", "de": "Keine weiteren E-Mails"}
_DONE = {
    "en": "You will get no more of these e-mails.",
    "de": "Sie erhalten keine weiteren E-Mails dieser Art.",  # codespell:ignore
}


class StopQuery(msgspec.Struct, frozen=True):
    token: str = ""


async def confirm(exchange: Exchange, services: Services) -> Answer:
    """Confirm a channel; once more for one that is confirmed changes nothing. Raises CodeOver, WrongCode."""
    body = await body_of(exchange, ConfirmRequest)
    channel = await own_channel(exchange, services)
    if channel.receiver_agrees:
        return json_answer(view(channel))
    secret = opened(channel, services)
    # A code of before the receiver's "no more" is none any more.
    if "code" not in secret or channel.is_off:
        raise CodeOver
    tries = secret["code_tries"] + 1
    if tries > MOST_TRIES or instant(secret["code_ends"]) <= services.clock.now():
        raise CodeOver
    if not hmac.compare_digest(body.code.strip().encode(), secret["code"].encode()):
        await _keep_try(channel, secret | {"code_tries": tries}, services)
        raise WrongCode(left=MOST_TRIES - tries)
    kept = {name: value for name, value in secret.items() if not name.startswith("code")}
    sealed = services.sealer.seal(channel.id, kept)
    confirmed = await services.ledger.confirming.confirm(channel, sealed=sealed, address=secret["address"])
    if confirmed is None:
        raise ChannelChanged
    return json_answer(view(confirmed))


async def send_code(exchange: Exchange, services: Services) -> Answer:
    """Mail another code for a channel that is not confirmed, or not any more; for a confirmed one change nothing."""
    channel = await own_channel(exchange, services)
    if channel.receiver_agrees:
        return json_answer(view(channel))
    made = KINDS[channel.kind].ask_again(opened(channel, services), asker=asker_of(exchange, services))
    if made is None:  # only kinds with a code are ever unconfirmed
        return json_answer(view(channel))
    asked = await services.ledger.confirming.ask_again(
        channel,
        sealed=services.sealer.seal(channel.id, made.secret),
        confirmed=not made.code_to,
        address=made.code_to,
    )
    if asked is None:
        raise ChannelChanged
    if isinstance(asked, datetime):
        raise limited(asked, services)
    return json_answer(view(asked))


async def _keep_try(channel: Channel, secret: Mapping[str, Any], services: Services) -> None:
    """Count a wrong code before it is answered: two at once are two."""
    sealed = services.sealer.seal(channel.id, secret)
    kept = await services.ledger.channels.change(msgspec.structs.replace(channel, sealed=sealed), before=channel.sealed)
    if kept is None:
        raise ChannelChanged


async def stop_page(exchange: Exchange, services: Services) -> Answer:
    """Ask whether to switch off: programs that only look at links must not do it."""
    await _channel_of(exchange, services)
    language = _language(exchange)
    return _page(language, _QUESTION[language], button=_BUTTON[language])


async def stop(exchange: Exchange, services: Services) -> Answer:
    """Switch the channel off, for the button of that page and for mail programs (RFC 8058); no body is needed."""
    channel = await _channel_of(exchange, services)
    address = opened(channel, services)["address"]
    if not await services.ledger.confirming.switch_off(channel.id, reason=SWITCHED_OFF, address=address):
        raise StopLinkUnknown
    language = _language(exchange)
    return _page(language, _DONE[language])


async def _channel_of(exchange: Exchange, services: Services) -> Channel:
    """The channel that the link was made for. Raises StopLinkUnknown when there is none, or it has only the same id."""
    token = query_of(exchange, StopQuery).token
    channel_id = channel_named_by(token)
    channel = await services.ledger.confirming.get(channel_id) if channel_id else None
    if channel is None or channel.kind != "email":
        raise StopLinkUnknown
    value = opened(channel, services).get("stop", "")
    if not StopTokens(channel_secrets(services.settings)).is_good(token, value=value):
        raise StopLinkUnknown
    return channel


def _language(exchange: Exchange) -> str:
    return "de" if (exchange.header(b"accept-language") or "").lower().startswith("de") else "en"


def _page(language: str, sentence: str, *, button: str = "") -> Answer:
    form = f'<form method="post"><button>{html.escape(button)}</button></form>' if button else ""
    text = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{html.escape(sentence)}</title>\n</head>\n'
        f"<body>\n<main>\n<p>{html.escape(sentence)}</p>\n{form}\n</main>\n</body>\n</html>\n"
    )
    return Answer(text.encode(), headers=_PAGE)
