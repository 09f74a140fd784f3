"""The format of ZIP files that are written as a stream (APPNOTE.TXT 6.3.10): records in, bytes out. Pure.

Why not a library: docs/decisions/0004-zip-writing.md. Every member is deflated (segments.py), with its CRC and sizes in
a data descriptor behind it, so that a source is read once.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from struct import Struct

import msgspec

MAX_32 = 0xFFFFFFFF
MAX_16 = 0xFFFF
# A member that may end up above 4 GiB with deflate's overhead for incompressible bytes is ZIP64 from its header on.
ZIP64_FROM = 0xFF000000
DIRECTORY_PIECE = 2**18

_LOCAL = Struct("<4sHHHHHIIIHH")
_DESCRIPTOR = Struct("<4sIII")
_DESCRIPTOR_64 = Struct("<4sIQQ")
_CENTRAL = Struct("<4sBBHHHHHIIIHHHHHII")
_END_64 = Struct("<4sQHHIIQQQQ")
_LOCATOR_64 = Struct("<4sIQI")
_END = Struct("<4sHHHHIIH")
_SIZES_64 = Struct("<HHQQ")
_SIZES_OFFSET_64 = Struct("<HHQQQ")
_OFFSET_64 = Struct("<HHQ")
_TIMESTAMP = Struct("<HHBI")

_ZIP64_EXTRA = 0x0001
_TIMESTAMP_EXTRA = 0x5455
_FLAGS = 0x0808  # sizes in a data descriptor; the name is UTF-8
_DEFLATE = 8
_UNIX = 3
_REGULAR_FILE = 0o100644 << 16


class Member(msgspec.Struct, frozen=True):
    """What is known of a member before its first byte. `modified` None is ZIP's first day, 1980-01-01."""

    name: bytes
    modified: datetime | None
    zip64: bool


class Sums(msgspec.Struct, frozen=True):
    """What is known of a member after its last byte; sizes in bytes."""

    crc: int
    size: int
    compressed: int


def needs_zip64(size: int | None) -> bool:
    """Whether a member of `size` bytes (None: unknown) may outgrow 32 bits."""
    return size is None or size >= ZIP64_FROM


def local_header(member: Member) -> bytes:
    """What stands before a member's bytes."""
    dos_time, dos_date = _dos(member.modified)
    extra = _timestamp(member.modified)
    if member.zip64:
        extra = _SIZES_64.pack(_ZIP64_EXTRA, 16, 0, 0) + extra
    size = MAX_32 if member.zip64 else 0
    header = _LOCAL.pack(
        b"PK\x03\x04", _version(member.zip64), _FLAGS, _DEFLATE, dos_time, dos_date,
        0, size, size, len(member.name), len(extra),
    )  # fmt: skip
    return header + member.name + extra


def data_descriptor(member: Member, sums: Sums) -> bytes:
    """What stands behind a member's bytes."""
    assert member.zip64 or max(sums.size, sums.compressed) <= MAX_32
    form = _DESCRIPTOR_64 if member.zip64 else _DESCRIPTOR
    return form.pack(b"PK\x07\x08", sums.crc, sums.compressed, sums.size)


def length(member: Member, sums: Sums) -> int:
    """Bytes from the first of a member's header to the last of its descriptor."""
    descriptor = _DESCRIPTOR_64 if member.zip64 else _DESCRIPTOR
    return len(local_header(member)) + sums.compressed + descriptor.size


def directory(members: Iterable[tuple[Member, Sums]]) -> Iterator[bytes]:
    """The central directory of `members`, which stand in the archive in this order, and the end of the archive.

    In pieces of about 256 KiB, each made when it is asked for.
    """
    offset = size = count = 0
    piece = bytearray()
    for member, sums in members:
        piece += directory_entry(member, sums, offset=offset)
        offset += length(member, sums)
        count += 1
        if len(piece) >= DIRECTORY_PIECE:
            size += len(piece)
            yield bytes(piece)
            piece.clear()
    size += len(piece)
    yield bytes(piece) + _end(start=offset, size=size, count=count)


def directory_entry(member: Member, sums: Sums, *, offset: int) -> bytes:
    """A member's place in the directory; `offset` is where its header starts."""
    extra, size, compressed = b"", sums.size, sums.compressed
    if member.zip64:
        extra = _SIZES_OFFSET_64.pack(_ZIP64_EXTRA, 24, size, compressed, offset)
        size = compressed = offset = MAX_32
    elif offset >= MAX_32:
        extra = _OFFSET_64.pack(_ZIP64_EXTRA, 8, offset)
        offset = MAX_32
    zip64 = bool(extra)
    extra += _timestamp(member.modified)
    dos_time, dos_date = _dos(member.modified)
    entry = _CENTRAL.pack(
        b"PK\x01\x02", 45, _UNIX, _version(zip64), _FLAGS, _DEFLATE, dos_time, dos_date,
        sums.crc, compressed, size, len(member.name), len(extra), 0, 0, 0, _REGULAR_FILE, offset,
    )  # fmt: skip
    return entry + member.name + extra


def _end(*, start: int, size: int, count: int) -> bytes:
    end = _END.pack(
        b"PK\x05\x06", 0, 0, min(count, MAX_16), min(count, MAX_16), min(size, MAX_32), min(start, MAX_32), 0
    )
    if count < MAX_16 and size < MAX_32 and start < MAX_32:
        return end
    end_64 = _END_64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    return end_64 + _LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1) + end


def _version(zip64: bool) -> int:
    """The version of the specification that a reader must know, times ten."""
    return 45 if zip64 else 20


def _dos(modified: datetime | None) -> tuple[int, int]:
    """Time and date in MS-DOS form, in UTC, clamped to 1980 to 2107; two seconds are its grain."""
    if modified is None or modified.year < 1980:
        return 0, 1 << 5 | 1
    modified = modified.astimezone(UTC)
    if modified.year > 2107:
        return 23 << 11 | 59 << 5 | 29, 127 << 9 | 12 << 5 | 31
    time = modified.hour << 11 | modified.minute << 5 | modified.second // 2
    return time, (modified.year - 1980) << 9 | modified.month << 5 | modified.day


def _timestamp(modified: datetime | None) -> bytes:
    """The extra field with the exact second and time zone; left out where its 31 bits do not reach."""
    seconds = -1 if modified is None else int(modified.timestamp())
    return _TIMESTAMP.pack(_TIMESTAMP_EXTRA, 5, 1, seconds) if 0 <= seconds < 2**31 else b""
