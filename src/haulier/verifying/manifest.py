"""The manifest that every archive carries as its last member, as a reader sees it. Pure.

`{"haulier_manifest": 1, "entries": [{"name", "size", "sha256", …}…], "missing": [{"source", "code", "reason", …}…]}`
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from haulier.verifying.verdict import LeftOut

NAME = "haulier-manifest.json"
VERSION = 1
MAX_BYTES = 2**28  # 100,000 entries with names of 200 bytes make 50 MB


class ManifestEntry(msgspec.Struct, frozen=True):
    """A file of the archive: what it has to be."""

    name: str
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True):
    entries: dict[str, ManifestEntry]
    left_out: tuple[LeftOut, ...]


class _Document(msgspec.Struct):
    haulier_manifest: int
    entries: tuple[ManifestEntry, ...]
    missing: tuple[LeftOut, ...] = ()


class BadManifest(ValueError):
    """The message says what is wrong with it."""


def read_manifest(raw: bytes) -> Manifest:
    """Raises BadManifest, for names that stand twice as well: which of the two would count?"""
    try:
        document = msgspec.json.decode(raw, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadManifest(f"{NAME} is no manifest of Haulier's") from None
    if document.haulier_manifest != VERSION:
        raise BadManifest(f"{NAME} has the form of another version of Haulier")
    entries = {entry.name: entry for entry in document.entries}
    if len(entries) < len(document.entries):
        raise BadManifest(f"{NAME} lists a name twice")
    return Manifest(entries, document.missing)
