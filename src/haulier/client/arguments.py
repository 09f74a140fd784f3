"""What callers hand over, checked before it becomes a part of a request."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx

from haulier.client.errors import BadToken
from haulier.wire import IDEMPOTENCY_KEY

_TOKEN = re.compile(r"[\x21-\x7e]+")
_SHOWN = 64


def api_address(url: str) -> str:
    """The address of an API, without a slash at its end. Raises ValueError with a sentence for what is none."""
    text = str(url).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(httpx.URL(text).host) and parts.port != 0
    except (ValueError, httpx.InvalidURL):  # a port that is none, a bracket too few, a name that no host has
        fits = False
    else:
        if "@" in parts.netloc:
            raise ValueError("must not have a user name or password in it; give a token")
        fits = fits and not re.search(r"[\s?#]", text)
    if not fits:
        raise ValueError("must be an http:// or https:// address")
    return text


def bearer(token: str) -> str:
    """A token without white space around it. Raises BadToken, which does not tell it."""
    text = token.strip()
    if not _TOKEN.fullmatch(text):
        raise BadToken
    return text


def path_id(given: object) -> str:
    """An id as a part of a path. Raises ValueError for text that is no UUID: it must not become a path of its own.

    Raises TypeError for what is not text, of which it tells the type only: a status holds a signed URL.
    """
    if isinstance(given, UUID):
        return str(given)
    if not isinstance(given, str):
        raise TypeError(f"an id is text, not {type(given).__name__}")
    try:
        return str(UUID(given))
    except ValueError:
        raise ValueError(f"{given[:_SHOWN]!r} is no id: ids are UUIDs, files have numbers") from None


def wanted_files(file_id: int | Sequence[int]) -> dict[str, Any]:
    """What a request says of the file, or of several as one ZIP. Raises TypeError for what is neither."""
    if isinstance(file_id, int) and not isinstance(file_id, bool):
        return {"file_id": file_id}
    if isinstance(file_id, Sequence) and not isinstance(file_id, (str, bytes)):
        return {"file_ids": list(file_id)}
    raise TypeError(f"a file is given as a number, several as a list of them, not {type(file_id).__name__}")


def channel_ids(notify: object) -> list[str]:
    """The channels that are told. Raises TypeError for what is no list."""
    if isinstance(notify, str) or not isinstance(notify, Iterable):
        raise TypeError("notify is a list of ids of channels, not one")
    return [str(each) for each in cast("Iterable[object]", notify)]


def several(connections: object) -> int:
    """How many connections may be used. Raises ValueError for what is no number from 1."""
    if not isinstance(connections, int) or isinstance(connections, bool) or connections < 1:
        raise ValueError("connections is a number from 1")
    return connections


def key_header(key: object) -> dict[str, str]:
    """The Idempotency-Key header for `key`, or a fresh one where there is none.

    Raises ValueError for a key that is not 1 to 200 visible ASCII characters, TypeError for what is not text.
    """
    if key is None:
        return {"Idempotency-Key": str(uuid4())}
    if not isinstance(key, str):
        raise TypeError(f"idempotency_key is text, not {type(key).__name__}")
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise ValueError("idempotency_key must be 1 to 200 visible ASCII characters")
    return {"Idempotency-Key": key}


def asking(key: str | None) -> dict[str, str]:
    """The headers of a request for a job that may be sent again: one job however often, and without a `key` of the
    caller's the living one for the same. Raises as `key_header`.
    """
    return key_header(key) | ({"Prefer": "join"} if key is None else {})
