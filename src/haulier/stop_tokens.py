"""Tokens that switch one channel off and can do nothing else: for links in e-mails, where nobody is logged in.

`base64url(channel id ‖ HMAC-SHA-256)`. They do not expire: a letter may be years old when its reader has had enough. A
channel whose id can come back, since it follows from an Idempotency-Key, keeps a random value that is authenticated
with the id: tokens of the one before are not good for it.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

from haulier.settings import Secret

_PURPOSE = b"haulier switches off a channel v1"
_ID_BYTES = 16
_TEXT = re.compile(r"[A-Za-z0-9_-]{64}")


class StopTokens:
    """Made with the first of `secrets`, good when any of them made it. Without any there are none."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._keys = [hmac.digest(secret.reveal().encode(), _PURPOSE, "sha256") for secret in secrets if secret]

    def make(self, channel_id: UUID, *, value: str = "") -> str:
        """The token of a channel that keeps `value`."""
        return base64.urlsafe_b64encode(channel_id.bytes + _mac(self._keys[0], channel_id, value)).decode()

    def is_good(self, token: str, *, value: str = "") -> bool:
        """Whether we made it, for the channel that it names and keeps `value`."""
        channel_id = channel_named_by(token)
        if channel_id is None:
            return False
        mac = base64.urlsafe_b64decode(token)[_ID_BYTES:]
        return any(hmac.compare_digest(mac, _mac(key, channel_id, value)) for key in self._keys)


def channel_named_by(token: str) -> UUID | None:
    """The channel that a token is about, whoever made it; None for what looks like no token."""
    if not _TEXT.fullmatch(token):
        return None
    return UUID(bytes=base64.urlsafe_b64decode(token)[:_ID_BYTES])


def _mac(key: bytes, channel_id: UUID, value: str) -> bytes:
    return hmac.digest(key, channel_id.bytes + value.encode(), "sha256")
