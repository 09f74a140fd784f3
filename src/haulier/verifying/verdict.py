"""What a look at a file found. Sizes are bytes, digests hex. Pure."""

from typing import Literal

import msgspec

from haulier.receipts import Signature
from haulier.wire_receipts import Receipt

State = Literal["good", "damaged", "missing", "extra", "unsafe"]


class Pair(msgspec.Struct, frozen=True):
    """What the receipt says and what was found; the receipt may say nothing."""

    expected: int | str | None
    found: int | str

    @property
    def agrees(self) -> bool:
        return self.expected == self.found


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file in an archive. `size` is what the manifest says, for an extra one what the archive says."""

    name: str
    state: State
    size: int
    reason: str = ""


class LeftOut(msgspec.Struct, frozen=True):
    """A source that was not there when the archive was made, which was allowed."""

    source: str
    code: str
    reason: str


class ArchiveVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A ZIP, entry by entry.

    `problem` says why they could not be compared with a manifest: with the CRC-32 of the directory then, or, when
    `entries` is 0, not at all. `entries` counts those of the manifest or directory; `listed` are the ones that are not
    good, or all when they were asked for.
    """

    entries: int = 0
    good: int = 0
    damaged: int = 0
    missing: int = 0
    extra: int = 0
    unsafe: int = 0
    left_out: tuple[LeftOut, ...] = ()
    listed: tuple[Entry, ...] = ()
    problem: str = ""

    @property
    def passes(self) -> bool:
        return not (self.damaged or self.missing or self.extra or self.unsafe)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """All findings about one file. `ok` only when everything that a receipt can state was checked and is right.

    `archive` is None for what is no ZIP. Its manifest is vouched for by the signature only when `sha256` agrees.
    """

    ok: bool
    file: str
    signature: Signature
    size: Pair
    sha256: Pair
    archive: ArchiveVerdict | None
    receipt: Receipt

    @property
    def is_same_file(self) -> bool:
        """Whether the bytes are those that the receipt speaks of."""
        return self.size.agrees and self.sha256.agrees
