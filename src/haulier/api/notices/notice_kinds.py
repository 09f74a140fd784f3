"""E-mail, browser push and apprise as kinds of channels; see channel_kinds.py."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from haulier.api.notices.channel_port import Asker, Made
from haulier.channel_rules import channel_rules
from haulier.clock import wire_time
from haulier.destinations.apprise_urls import problem_of
from haulier.destinations.mail_address import is_mail_address, masked, same_address
from haulier.destinations.vapid_keys import AUTH_BYTES, POINT_BYTES, base64url_bytes, is_point
from haulier.destinations.webhook_url import refusal
from haulier.errors import ChannelKindOff, InvalidRequest
from haulier.ledger import CODE_LIFE
from haulier.wire_channel_kinds import NewApprise, NewEmail, NewPush
from haulier.wire_channels import ChannelChange

CODES = 1_000_000
MOST_PLACES = 5  # of one URL: apprise writes to one after the other, with pauses, and holds a thread for all of them


class _Unchanging:
    """Kinds whose place cannot be changed: another place is another channel."""

    def change(self, body: ChannelChange, secret: Mapping[str, Any], *, asker: Asker) -> Made | None:
        return None

    def rotate(self, secret: Mapping[str, Any], *, now: datetime) -> Made | None:
        return None

    def ask_again(self, secret: Mapping[str, Any], *, asker: Asker) -> Made | None:
        return None


class EmailKind(_Unchanging):
    """An address: the caller's token vouches for it, or who reads its mail does by a code."""

    shape = NewEmail

    def make(self, body: NewEmail, *, asker: Asker) -> Made:
        _check_email_on(asker)
        address = body.address or asker.caller.email
        if not address:
            raise InvalidRequest(("/address", "is needed: your token names none"))
        if not is_mail_address(address):
            raise InvalidRequest(("/address", "must be one plain address, like anna@example.com"))
        return self.ask_again({"address": address, "language": body.language}, asker=asker)

    def ask_again(self, secret: Mapping[str, Any], *, asker: Asker) -> Made:
        _check_email_on(asker)
        address: str = secret["address"]
        kept = {name: value for name, value in secret.items() if not name.startswith("code")}
        if asker.caller.email and same_address(address, asker.caller.email):
            return Made(target=masked(address), secret=kept)
        code = {
            "code": f"{secrets.randbelow(CODES):06}",
            "code_ends": wire_time(asker.now + CODE_LIFE),
            "code_tries": 0,
        }
        return Made(target=masked(address), secret=kept | code, code_to=address)


def _check_email_on(asker: Asker) -> None:
    if not asker.settings.smtp_url:
        raise ChannelKindOff(kind="email", setting="HAULIER_SMTP_URL")


class PushKind(_Unchanging):
    """A browser's subscription."""

    shape = NewPush

    def make(self, body: NewPush, *, asker: Asker) -> Made:
        settings, subscription = asker.settings, body.subscription
        if not settings.vapid_key:
            raise ChannelKindOff(kind="push", setting="HAULIER_VAPID_KEY")
        if (problem := refusal(subscription.endpoint, rules=channel_rules(settings))) is not None:
            raise InvalidRequest(("/subscription/endpoint", problem))
        point = base64url_bytes(subscription.keys.p256dh, size=POINT_BYTES)
        if point is None or not is_point(point):
            raise InvalidRequest(("/subscription/keys/p256dh", "must be a point of the curve P-256 in base64url"))
        if base64url_bytes(subscription.keys.auth, size=AUTH_BYTES) is None:
            raise InvalidRequest(("/subscription/keys/auth", f"must be {AUTH_BYTES} bytes in base64url"))
        tell = hashlib.sha256(subscription.endpoint.encode()).hexdigest()[:6]
        return Made(
            target=f"{httpx.URL(subscription.endpoint).host} ({tell})",
            secret={
                "endpoint": subscription.endpoint,
                "p256dh": subscription.keys.p256dh.rstrip("="),
                "auth": subscription.keys.auth.rstrip("="),
                "language": body.language,
            },
        )


class AppriseKind(_Unchanging):
    """A URL of the user's own, or the name of one of the operator's."""

    shape = NewApprise

    def make(self, body: NewApprise, *, asker: Asker) -> Made:
        settings = asker.settings
        if not settings.apprise_schemas and not settings.apprise_places:
            raise ChannelKindOff(kind="apprise", setting="HAULIER_APPRISE_SERVICES")
        if bool(body.url) == bool(body.name):
            raise InvalidRequest(("/url", "or /name is needed, one of both"))
        if body.name:
            place = settings.apprise_places.get(body.name)
            if place is None or not place.is_for(asker.caller.role):
                raise InvalidRequest(("/name", "is no place that you may choose; GET /v1/channel-kinds lists them"))
            return Made(target=body.name, secret={"name": body.name, "language": body.language})
        if not settings.apprise_schemas:
            raise InvalidRequest(("/url", "must not be used here: choose a place by its name"))
        if (problem := problem_of(body.url, services=settings.apprise_schemas)) is not None:
            raise InvalidRequest(("/url", problem))
        from haulier.destinations.apprise_plugins import plugin_for, redacted

        plugin = plugin_for(body.url)
        if plugin is None:
            raise InvalidRequest(("/url", "names no place that this service can reach; see apprise's page about it"))
        if len(plugin) > MOST_PLACES:
            raise InvalidRequest(("/url", f"names more than {MOST_PLACES} places; make another channel for the others"))
        return Made(target=redacted(body.url, plugin), secret={"url": body.url, "language": body.language})
