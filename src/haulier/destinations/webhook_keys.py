"""Keys and signatures of webhooks, as Standard Webhooks 1.0.0 has them. Pure, but for fresh keys.

A key is text: `whsec_` and a shared secret in base64 (HMAC-SHA256, `v1`), or `whsk_` and the seed of an Ed25519 key
(`v1a`), whose public half is shown as `whpk_`. Messages are signed with every key that counts at that moment.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

Scheme = Literal["hmac", "ed25519"]

KEY_BYTES = 32
ROTATION = timedelta(hours=24)
MOST_KEYS = 4
_SHARED, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"


class WebhookKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key. It signs until `until`; None: it is the current one."""

    text: str
    until: datetime | None = None

    @property
    def scheme(self) -> Scheme:
        return "hmac" if self.text.startswith(_SHARED) else "ed25519"

    @property
    def public_text(self) -> str:
        """The public half of an Ed25519 key, as `whpk_…`."""
        return _PUBLIC + base64.b64encode(_private(self.text).public_key().public_bytes_raw()).decode()


class WebhookSecret(msgspec.Struct, frozen=True):
    """What a webhook's channel keeps sealed: where it leads, and the keys, the current one first."""

    url: str
    keys: tuple[WebhookKey, ...]


def fresh_key(scheme: Scheme) -> WebhookKey:
    """A new key."""
    prefix = _SHARED if scheme == "hmac" else _PRIVATE
    return WebhookKey(prefix + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())


def rotated(keys: Sequence[WebhookKey], fresh: WebhookKey, *, now: datetime) -> tuple[WebhookKey, ...]:
    """`fresh` as the current key; the one before signs for ROTATION too. Ask `next_rotation` whether there is room."""
    older = [msgspec.structs.replace(key, until=key.until or now + ROTATION) for key in valid(keys, now=now)]
    return (fresh, *older)


def next_rotation(keys: Sequence[WebhookKey], *, now: datetime) -> datetime | None:
    """When there may be another key; None: now. MOST_KEYS sign at a time, and none of them ends before its day."""
    signing = valid(keys, now=now)
    ends = [key.until for key in signing if key.until is not None]
    return min(ends) if ends and len(signing) >= MOST_KEYS else None


def valid(keys: Sequence[WebhookKey], *, now: datetime) -> list[WebhookKey]:
    """Those that sign at `now`."""
    return [key for key in keys if key.until is None or key.until > now]


def signatures(keys: Sequence[WebhookKey], *, message_id: str, at: datetime, body: bytes) -> str:
    """The header `webhook-signature` of a message at `at`: one signature for each key that counts then.

    Raises ValueError when `at` is not in UTC: the package takes any zone's time for UTC.
    """
    if at.utcoffset() != timedelta():
        raise ValueError("the time of a signature must be in UTC")
    return " ".join(_signature(key, message_id, at, body) for key in valid(keys, now=at))


def _signature(key: WebhookKey, message_id: str, at: datetime, body: bytes) -> str:
    if key.scheme == "hmac":
        return Webhook(key.text).sign(message_id, at, body.decode())
    signed = _private(key.text).sign(f"{message_id}.{int(at.timestamp())}.".encode() + body)
    return f"v1a,{base64.b64encode(signed).decode()}"


def _private(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.removeprefix(_PRIVATE)))
