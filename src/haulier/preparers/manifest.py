"""The last member of every archive: what is in it, byte for byte, and what is missing and why. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from haulier.clock import wire_time
from haulier.preparers.planning import Missing
from haulier.preparers.sources import Entry

NAME = "haulier-manifest.json"
PIECE_BYTES = 2**18


class _Entry(msgspec.Struct, frozen=True):
    name: str
    size: int
    sha256: str
    modified: str | UnsetType
    source: str
    etag: str


class _Missing(msgspec.Struct, frozen=True):
    source: str
    file_id: int | UnsetType
    code: str
    reason: str


class Listed(msgspec.Struct, frozen=True):
    """A member as the manifest lists it."""

    name: str
    entry: Entry
    size: int
    sha256: bytes


def manifest(listed: Iterable[Listed], missing: Sequence[Missing]) -> Iterator[bytes]:
    """The manifest in pieces of about 256 KiB, one line for each member."""
    encode = msgspec.json.Encoder().encode
    piece = bytearray(b'{"haulier_manifest": 1, "entries": [')
    before = b"\n"
    for each in listed:
        piece += before + encode(_entry(each))
        before = b",\n"
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    piece += b'\n], "missing": ['
    before = b"\n"
    for absent in missing:
        piece += before + encode(_missing(absent))
        before = b",\n"
    yield bytes(piece) + b"\n]}\n"


def _entry(each: Listed) -> _Entry:
    return _Entry(
        name=each.name,
        size=each.size,
        sha256=each.sha256.hex(),
        modified=_time(each.entry.modified),
        source=each.entry.source,
        etag=each.entry.etag,
    )


def _missing(absent: Missing) -> _Missing:
    return _Missing(
        source=absent.source,
        file_id=UNSET if absent.file_id is None else absent.file_id,
        code=absent.error.code,
        reason=absent.error.detail,
    )


def _time(modified: datetime | None) -> str | UnsetType:
    return UNSET if modified is None else wire_time(modified)
