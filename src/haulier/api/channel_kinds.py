"""The kinds of channels: what each needs to know, what of it is secret, and what may be shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from haulier.addresses import AddressRules
from haulier.errors import InvalidRequest
from haulier.settings import Settings
from haulier.webhook_keys import WebhookKey, WebhookSecret, fresh_key, rotated
from haulier.webhook_url import refusal, target_of
from haulier.wire_channels import ChannelChange, NewChannel, NewWebhook


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel is made of. `shown` goes into this one answer: fields of ChannelWithSecret."""

    target: str
    secret: Mapping[str, Any]
    shown: Mapping[str, str] = {}
    confirmed: bool = True


class ChannelKind(Protocol):
    """One kind. All of them raise InvalidRequest for what a client got wrong, and do no I/O."""

    @property
    def shape(self) -> type[NewChannel]:
        """Its request. Its tag is the kind's name."""
        ...

    def make(self, body: Any, *, settings: Settings) -> Made:
        """A new channel as `body`, a `shape`, wants it."""
        ...

    def change(self, body: ChannelChange, secret: Mapping[str, Any], *, settings: Settings) -> Made | None:
        """What becomes of it by the fields that are this kind's own; None when there are none of them."""
        ...

    def rotate(self, secret: Mapping[str, Any], *, now: datetime) -> Made | None:
        """The same with a new secret; None when it has none that could be changed. `target` is not looked at."""
        ...


class WebhookKind:
    """Where messages are posted to, and the keys that sign them."""

    shape = NewWebhook

    def make(self, body: NewWebhook, *, settings: Settings) -> Made:
        _check_url(body.url, settings)
        key = fresh_key(body.signature)
        return _webhook(WebhookSecret(body.url, (key,)), shown=_shown(key))

    def change(self, body: ChannelChange, secret: Mapping[str, Any], *, settings: Settings) -> Made | None:
        if not isinstance(body.url, str):
            return None
        _check_url(body.url, settings)
        return _webhook(WebhookSecret(body.url, msgspec.convert(secret, WebhookSecret).keys))

    def rotate(self, secret: Mapping[str, Any], *, now: datetime) -> Made | None:
        before = msgspec.convert(secret, WebhookSecret)
        fresh = fresh_key(before.keys[0].scheme)
        return _webhook(WebhookSecret(before.url, rotated(before.keys, fresh, now=now)), shown=_shown(fresh))


def _check_url(url: str, settings: Settings) -> None:
    rules = AddressRules(allow_private=settings.channel_allow_private, networks=settings.channel_networks)
    if (problem := refusal(url, rules=rules)) is not None:
        raise InvalidRequest(("/url", problem))


def _webhook(secret: WebhookSecret, *, shown: Mapping[str, str] | None = None) -> Made:
    return Made(target=target_of(secret.url), secret=msgspec.to_builtins(secret), shown=shown or {})


def _shown(key: WebhookKey) -> dict[str, str]:
    return {"secret": key.text} if key.scheme == "hmac" else {"public_key": key.public_text}


KINDS: Mapping[str, ChannelKind] = {"webhook": WebhookKind()}
NEW_CHANNELS: tuple[type[NewChannel], ...] = tuple(kind.shape for kind in KINDS.values())
