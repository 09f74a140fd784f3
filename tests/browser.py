"""A browser as push sees it: it subscribes, and reads what its push service hands it (RFC 8188, 8291, 8292)."""

import base64
import os
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey
from joserfc.jwt import decode

from haulier.destinations.vapid_keys import fresh_vapid_key
from haulier.settings import Secret, Settings


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def padded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def pushing(settings: Settings) -> Settings:
    """The same, with push to services on the loopback."""
    return msgspec.structs.replace(
        settings,
        channel_allow_private=True,
        vapid_key=Secret(fresh_vapid_key()),
        vapid_subject="mailto:operator@haulier.example",
    )


class Browser:
    """Its keys; `subscription` is what a page gets of them."""

    def __init__(self, endpoint: str) -> None:
        self._key = generate_private_key(SECP256R1())
        self._point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._auth = os.urandom(16)
        self.subscription = {
            "endpoint": endpoint,
            "expirationTime": None,
            "keys": {"p256dh": unpadded(self._point), "auth": unpadded(self._auth)},
        }

    def read(self, body: bytes) -> Any:
        """The message in an `aes128gcm` body."""
        salt, size, sender = body[:16], int.from_bytes(body[16:20], "big"), body[21 : 21 + body[20]]
        assert len(body) - 21 - len(sender) <= size
        shared = self._key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sender))
        secret = hkdf(shared, salt=self._auth, info=b"WebPush: info\0" + self._point + sender, length=32)
        key = hkdf(secret, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
        nonce = hkdf(secret, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
        plain = AESGCM(key).decrypt(nonce, body[21 + len(sender) :], b"").rstrip(b"\0")
        assert plain[-1] == 2  # the last record
        return msgspec.json.decode(plain[:-1])


def signed_claims(authorization: str, *, public_key: str) -> Any:
    """The claims of a VAPID header, once its signature is that of `public_key`."""
    scheme, _, rest = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert (scheme, parts["k"]) == ("vapid", public_key)
    point = padded(public_key)
    key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": unpadded(point[1:33]), "y": unpadded(point[33:])})
    return decode(parts["t"], key, algorithms=["ES256"]).claims
