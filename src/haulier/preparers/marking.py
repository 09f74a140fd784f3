"""Where an archive stands: what a mark keeps, so that another attempt can write what follows it. Pure."""

from collections.abc import Iterator
from struct import Struct
from typing import Any

import msgspec

from haulier.digests import ResumableDigest
from haulier.errors import UploadLost
from haulier.preparers.lanes import Halfway, Packed
from haulier.preparers.port import Mark
from haulier.preparers.segments import dialect
from haulier.preparers.zipping import Sums

_RECORD = Struct("<IQQ32s")


class Records:
    """The members that are in the archive, 52 bytes each."""

    def __init__(self, log: bytes = b"") -> None:
        self._log = bytearray(log)
        self._told = len(self._log)

    def __len__(self) -> int:
        return len(self._log) // _RECORD.size

    def __iter__(self) -> Iterator[Packed]:
        for crc, size, compressed, sha256 in _RECORD.iter_unpack(self._log):
            yield Packed(Sums(crc, size, compressed), sha256)

    def add(self, packed: Packed) -> None:
        sums = packed.sums
        self._log += _RECORD.pack(sums.crc, sums.size, sums.compressed, packed.sha256)

    def news(self) -> bytes:
        """Those that were added since the last call."""
        news = bytes(memoryview(self._log)[self._told :])
        self._told = len(self._log)
        return news


class _State(msgspec.Struct, frozen=True):
    """A mark's state. `members` are whole; `offset` counts the archive's bytes, `read` those of sources."""

    plan: str
    dialect: str
    members: int
    offset: int
    read: int
    halfway: Halfway | None = None


class Place(msgspec.Struct):
    """Where an archive stands: behind the members of `records`, within the next one when `halfway` is set."""

    records: Records
    offset: int = 0
    read: int = 0
    halfway: Halfway | None = None


def marked(place: Place, *, plan: str) -> Mark:
    """A mark for `place`, whose records are told from the last mark on. `plan` is the digest of the plan."""
    state = _State(plan, dialect(), len(place.records), place.offset, place.read, place.halfway)
    content: Any = msgspec.to_builtins(state)
    return Mark(content, place.records.news())


def place_of(mark: Mark, *, plan: str) -> Place:
    """The place of a mark of an earlier attempt. Raises UploadLost when this one would write other bytes before it."""
    try:
        state = msgspec.convert(mark.state, type=_State)
        if state.halfway is not None:
            ResumableDigest("sha-256", state.halfway.sha256)
    except (msgspec.ValidationError, ValueError) as error:
        raise UploadLost from error
    if (state.plan, state.dialect) != (plan, dialect()) or len(mark.log) != state.members * _RECORD.size:
        raise UploadLost
    return Place(Records(mark.log), state.offset, state.read, state.halfway)
