"""The P-256 key of browser push (RFC 8292) as text, as browsers and other tools of web push write it. Pure, no I/O.

The private key is its 32 bytes in base64url, the public one the 65 bytes of its point.
"""

import base64
import binascii
import re

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import derive_private_key as derive
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES = 32
POINT_BYTES = 65
AUTH_BYTES = 16  # of a subscription's shared secret


def fresh_vapid_key() -> str:
    """A new private key."""
    number = generate(SECP256R1()).private_numbers().private_value
    return _text(number.to_bytes(KEY_BYTES, "big"))


def vapid_key(text: str) -> EllipticCurvePrivateKey:
    """The private key that `text` holds. Raises ValueError with a sentence that repeats nothing of it."""
    raw = base64url_bytes(text.strip(), size=KEY_BYTES)
    try:
        return derive(int.from_bytes(raw or b"", "big"), SECP256R1())
    except ValueError:
        raise ValueError("must be 32 bytes in base64url that are a key of the curve P-256") from None


def public_point(key: EllipticCurvePrivateKey) -> str:
    """What a page hands to the browser as `applicationServerKey`."""
    return _text(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def is_point(raw: bytes) -> bool:
    """Whether these are a public key of the curve, uncompressed."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError:
        return False
    return len(raw) == POINT_BYTES


def base64url_bytes(text: str, *, size: int) -> bytes | None:
    """The `size` bytes that `text` holds in base64url, with or without padding; None when it holds anything else."""
    bare = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", bare, re.ASCII):
        return None
    try:
        raw = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == size else None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
