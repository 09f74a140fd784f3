"""What holds for the parts of an upload on every store. Pure."""

from collections.abc import Sequence

from haulier.errors import UploadLost
from haulier.storage.port import Part


def check_part(number: int, content: bytes, *, part_bytes: int) -> None:
    """Raise ValueError for what is no part: it would spoil its neighbours."""
    if number < 1 or len(content) > part_bytes:
        raise ValueError("a part has a number from 1, and no more bytes than part_bytes")


def whole(parts: Sequence[Part], *, part_bytes: int) -> tuple[list[Part], int]:
    """All parts in order, and the bytes of the object. An empty object has one empty part.

    Raises UploadLost when they are not all there: one is missing, or they were cut in another size.
    """
    ordered = sorted(parts, key=lambda part: part.number)
    if not ordered or [part.number for part in ordered] != list(range(1, len(ordered) + 1)):
        raise UploadLost
    if any(part.size != part_bytes for part in ordered[:-1]):
        raise UploadLost
    return ordered, sum(part.size for part in ordered)
