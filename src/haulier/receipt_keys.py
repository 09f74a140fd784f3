"""Ed25519 keys as text: what settings, homes and the command line hold of a receipt's keys. Pure, no I/O.

A private key is its 32-byte seed in base64url, as a JWK's `d` (RFC 8037), or a PEM file's text (PKCS 8). A public key
is 32 bytes in base64url, as a JWK's `x`.
"""

import base64
import binascii
import re
import secrets

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

KEY_BYTES = 32
_TEXT = re.compile(r"[A-Za-z0-9_-]{43}=?")


def fresh_private_key() -> str:
    """A new key's seed."""
    return secrets.token_urlsafe(KEY_BYTES)


def private_key(text: str) -> Ed25519PrivateKey:
    """The key that `text` holds. Raises ValueError with a sentence that repeats nothing of it."""
    text = text.strip()
    if text.startswith("-----BEGIN"):
        return _from_pem(text)
    return Ed25519PrivateKey.from_private_bytes(_raw(text, "must be 32 bytes in base64url, or a private key in PEM"))


def public_key(text: str) -> Ed25519PublicKey:
    """The public key that `text` holds. Raises ValueError with a sentence."""
    return Ed25519PublicKey.from_public_bytes(_raw(text.strip(), "is no public key: 32 bytes in base64url"))


def public_keys(text: str) -> list[Ed25519PublicKey]:
    """The public keys that `text` holds, apart by commas or spaces. Raises ValueError with a sentence."""
    return [public_key(part) for part in re.split(r"[,\s]+", text) if part]


def public_text(key: Ed25519PublicKey) -> str:
    """The key as `public_key` reads it."""
    return base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()


def _from_pem(text: str) -> Ed25519PrivateKey:
    # One line of an environment file has no room for line ends.
    try:
        key = load_pem_private_key(text.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is no private key in PEM that can be read without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("must be an Ed25519 key")  # noqa: TRY004 # the text is wrong, not the program
    return key


def _raw(text: str, sentence: str) -> bytes:
    try:
        raw = base64.b64decode(text.rstrip("=") + "=", altchars=b"-_", validate=True) if _TEXT.fullmatch(text) else b""
    except binascii.Error:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError(sentence)
    return raw
