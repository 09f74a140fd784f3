"""Sealing what channels keep secret: AES-256-GCM, bound to the channel, with keys that can be changed.

A sealed value is a version byte, 4 bytes that tell the key, a nonce of 12 bytes and the ciphertext with its tag. The
channel's id is authenticated with it, so that no value opens in the place of another channel's.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from haulier.destinations.same_place import place_of
from haulier.errors import ChannelsOff
from haulier.settings import Secret, Settings

_VERSION = b"\x01"
_TELL_BYTES = 4
_NONCE_BYTES = 12
_HEAD_BYTES = len(_VERSION) + _TELL_BYTES + _NONCE_BYTES
_PURPOSE = b"haulier channels v1"
_PLACE_PURPOSE = b"haulier same place v1"


class CannotOpen(Exception):
    """The value was sealed with a key that is not among ours, for another channel, or is damaged."""


class Sealer:
    """Seals with the first of `secrets` and opens with all of them. Without any, both raise ChannelsOff."""

    def __init__(self, secrets: Sequence[Secret], *, random: Callable[[int], bytes] = os.urandom) -> None:
        keys = [_key(secret) for secret in secrets if secret]
        self._place_keys = [hmac.digest(key, _PLACE_PURPOSE, "sha256") for key in keys]
        self._keys = {_tell(key): AESGCM(key) for key in reversed(keys)}
        self._current = _tell(keys[0]) if keys else b""
        self._random = random

    def __bool__(self) -> bool:
        """Whether there is a key at all."""
        return bool(self._keys)

    def seal(self, owner: UUID, secret: Mapping[str, Any]) -> bytes:
        """`secret` so that only we can read it, as part of `owner`."""
        if not self._keys:
            raise ChannelsOff
        head = _VERSION + self._current + self._random(_NONCE_BYTES)
        return head + self._keys[self._current].encrypt(head[-_NONCE_BYTES:], msgspec.json.encode(secret), owner.bytes)

    def open(self, owner: UUID, sealed: bytes) -> dict[str, Any]:
        """What was sealed. Raises CannotOpen."""
        if not self._keys:
            raise ChannelsOff
        key = self._keys.get(_told(sealed))
        if key is None or sealed[:1] != _VERSION:
            raise CannotOpen
        try:
            plain = key.decrypt(sealed[_HEAD_BYTES - _NONCE_BYTES : _HEAD_BYTES], sealed[_HEAD_BYTES:], owner.bytes)
        except (InvalidTag, ValueError):
            raise CannotOpen from None
        return msgspec.json.decode(plain, type=dict[str, Any])

    def fingerprints(self, *, user_id: str, kind: str, secret: Mapping[str, Any]) -> tuple[bytes, ...]:
        """What tells whether a user's channels lead to the same place, by each of our keys, that of today first.

        None for kinds of which several may lead to one place. They tell nothing to who has no key, not even whether
        channels of two users do.
        """
        if not (place := place_of(kind, secret)):
            return ()
        text = f"{user_id}\0{kind}\0{place}".encode()
        return tuple(hmac.digest(key, text, "sha256") for key in self._place_keys)

    @property
    def mark(self) -> bytes:
        """How values begin that are sealed with the key of today."""
        return _VERSION + self._current


def channel_sealer(settings: Settings) -> Sealer:
    """As the settings say: HAULIER_CHANNEL_KEY, else a key derived from the secret of links or of tokens.

    What those derive to opens in any case, so that a key of its own can be set later.
    """
    return Sealer(channel_secrets(settings))


def channel_secrets(settings: Settings) -> list[Secret]:
    """All secrets that channels' keys are derived from, the current one first; some may be empty."""
    old = [Secret(text) for text in settings.channel_old_keys.reveal().replace(",", " ").split()]
    return [settings.channel_key, settings.url_secret, settings.jwt_secret, *old]


def _key(secret: Secret) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.reveal().encode())


def _tell(key: bytes) -> bytes:
    return hashlib.sha256(_PURPOSE + key).digest()[:_TELL_BYTES]


def _told(sealed: bytes) -> bytes:
    return sealed[len(_VERSION) : len(_VERSION) + _TELL_BYTES]
