"""Cursors and the links to next pages, for all lists. Pure."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlencode

from haulier.errors import InvalidRequest


def cursor(raw: bytes) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_of(text: str, *, size: int) -> bytes:
    """The bytes of a cursor of `size` bytes. Raises InvalidRequest for anything that `cursor` did not make."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise foreign_cursor() from None
    if len(raw) != size or cursor(raw) != text:
        raise foreign_cursor()
    return raw


def foreign_cursor() -> InvalidRequest:
    """What to say of a cursor that is not ours."""
    return InvalidRequest(("cursor", "is not a cursor of ours; send next_cursor as you got it"))


def next_link(url: str, parameters: Mapping[str, str | int | bool | None]) -> tuple[bytes, bytes]:
    """The Link header to the next page of the list at `url`; parameters that are None are left out."""
    rest = urlencode({name: _word(value) for name, value in parameters.items() if value is not None})
    return b"link", f'<{url}?{rest}>; rel="next"'.encode()


def _word(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
