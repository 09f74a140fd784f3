"""The kinds of channels: what each needs to know, what of it is secret, and what may be shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from haulier.api.notices.channel_port import Asker, ChannelKind, Made
from haulier.api.notices.notice_kinds import AppriseKind, EmailKind, PushKind
from haulier.api.ratelimits import seconds_until
from haulier.channel_rules import channel_rules
from haulier.destinations.webhook_keys import (
    MOST_KEYS,
    ROTATION,
    WebhookKey,
    WebhookSecret,
    fresh_key,
    next_rotation,
    rotated,
)
from haulier.destinations.webhook_url import refusal, target_of
from haulier.errors import InvalidRequest, RotationsLimited
from haulier.settings import Settings
from haulier.wire_channels import ChannelChange, NewChannel, NewWebhook


class WebhookKind:
    """Where messages are posted to, and the keys that sign them."""

    shape = NewWebhook

    def make(self, body: NewWebhook, *, asker: Asker) -> Made:
        _check_url(body.url, asker.settings)
        key = fresh_key(body.signature)
        return _webhook(WebhookSecret(body.url, (key,)), shown=_shown(key))

    def change(self, body: ChannelChange, secret: Mapping[str, Any], *, asker: Asker) -> Made | None:
        if not isinstance(body.url, str):
            return None
        _check_url(body.url, asker.settings)
        return _webhook(WebhookSecret(body.url, msgspec.convert(secret, WebhookSecret).keys))

    def rotate(self, secret: Mapping[str, Any], *, now: datetime) -> Made | None:
        before = msgspec.convert(secret, WebhookSecret)
        again_at = next_rotation(before.keys, now=now)
        if again_at is not None:
            wait_s = seconds_until(again_at, now=now, most=round(ROTATION.total_seconds()))
            raise RotationsLimited(limit=MOST_KEYS, wait_s=wait_s, retry_after_s=wait_s)
        fresh = fresh_key(before.keys[0].scheme)
        return _webhook(WebhookSecret(before.url, rotated(before.keys, fresh, now=now)), shown=_shown(fresh))

    def ask_again(self, secret: Mapping[str, Any], *, asker: Asker) -> Made | None:
        return None


def _check_url(url: str, settings: Settings) -> None:
    if (problem := refusal(url, rules=channel_rules(settings))) is not None:
        raise InvalidRequest(("/url", problem))


def _webhook(secret: WebhookSecret, *, shown: Mapping[str, str] | None = None) -> Made:
    return Made(target=target_of(secret.url), secret=msgspec.to_builtins(secret), shown=shown or {})


def _shown(key: WebhookKey) -> dict[str, str]:
    return {"secret": key.text} if key.scheme == "hmac" else {"public_key": key.public_text}


KINDS: Mapping[str, ChannelKind] = {
    "webhook": WebhookKind(),
    "email": EmailKind(),
    "push": PushKind(),
    "apprise": AppriseKind(),
}
NEW_CHANNELS: tuple[type[NewChannel], ...] = tuple(kind.shape for kind in KINDS.values())
