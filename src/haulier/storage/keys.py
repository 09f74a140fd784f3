"""What a key may look like, in one place. Pure."""

import re

from haulier.errors import BadRecipe

MAX_KEY_BYTES = 1_024  # S3's limit
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def check_key(key: str) -> str:
    """`key` unchanged when every store can hold it; raises BadRecipe otherwise.

    A key is a relative path of non-empty segments divided by `/`, none of them `.` or `..`, without control characters
    and backslashes, and at most 1,024 bytes of UTF-8.
    """
    reason = _fault(key)
    if reason:
        raise BadRecipe(reason=f"an object's key {reason}")
    return key


def check_prefix(prefix: str) -> str | None:
    """`prefix` without its last slash, None for all objects; raises BadRecipe when no key can start with it."""
    return check_key(prefix.removesuffix("/")) if prefix else None


def _fault(key: str) -> str | None:
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "must be text that UTF-8 can hold"
    if len(encoded) > MAX_KEY_BYTES:
        return f"may have at most {MAX_KEY_BYTES} bytes"
    if _CONTROL.search(key):
        return "may not contain control characters or backslashes"
    if any(segment in {"", ".", ".."} for segment in key.split("/")):
        return "must be a relative path without empty, . or .. segments"
    return None
