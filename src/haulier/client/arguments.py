"""What callers hand over, checked before it becomes a part of a request."""

import re
from uuid import UUID, uuid4

_KEY = re.compile(r"[\x21-\x7e]{1,200}")  # what the API takes; anything else could not be sent or be something else


def path_id(text: str) -> str:
    """An id as a part of a path. Raises ValueError for what is no UUID: it must not become a path of its own."""
    try:
        return str(UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{text!r} is no id of ours: ids are UUIDs") from None


def key_header(key: str | None, *, always: bool = False) -> dict[str, str]:
    """The Idempotency-Key header for `key`, with `always` a fresh one where there is none.

    Raises ValueError for a key that is not 1 to 200 visible ASCII characters.
    """
    if key is None:
        return {"Idempotency-Key": str(uuid4())} if always else {}
    if not _KEY.fullmatch(key):
        raise ValueError("idempotency_key must be 1 to 200 visible ASCII characters")
    return {"Idempotency-Key": key}
