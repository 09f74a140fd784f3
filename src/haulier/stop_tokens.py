"""Tokens that switch one channel off and can do nothing else: for links in e-mails, where nobody is logged in.

`base64url(channel id ‖ HMAC-SHA-256)`. They do not expire: a letter may be years old when its reader has had enough.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

from haulier.settings import Secret

_PURPOSE = b"haulier switches off a channel v1"
_ID_BYTES = 16
_TEXT = re.compile(r"[A-Za-z0-9_-]{64}")


class StopTokens:
    """Made with the first of `secrets`, taken when any of them made it. Without any there are none."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._keys = [hmac.digest(secret.reveal().encode(), _PURPOSE, "sha256") for secret in secrets if secret]

    def make(self, channel_id: UUID) -> str:
        """The token of a channel."""
        return base64.urlsafe_b64encode(channel_id.bytes + _mac(self._keys[0], channel_id)).decode()

    def channel(self, token: str) -> UUID | None:
        """The channel that the token switches off; None for one that we did not make."""
        if not _TEXT.fullmatch(token):
            return None
        try:
            raw = base64.urlsafe_b64decode(token)
        except (ValueError, binascii.Error):
            return None
        channel_id = UUID(bytes=raw[:_ID_BYTES])
        known = any(hmac.compare_digest(raw[_ID_BYTES:], _mac(key, channel_id)) for key in self._keys)
        return channel_id if known else None


def _mac(key: bytes, channel_id: UUID) -> bytes:
    return hmac.digest(key, channel_id.bytes, "sha256")
