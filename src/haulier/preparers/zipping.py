"""Writing ZIP files as a stream (APPNOTE.TXT 6.3.10): bytes in, bytes out, no I/O.

Why not a library: docs/decisions/0004-zip-writing.md. Every member is deflated, with its CRC and sizes in a data
descriptor behind it, so that a source is read once. Members that are compressed already become deflate's stored blocks:
0.01 % larger, as fast as copying. The output depends on the input alone, never on the time or on how it was cut up.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from struct import Struct
from typing import Protocol

import msgspec
from isal import isal_zlib

LEVEL = 1  # of isal: 0.58 GB/s at the size of zlib's level 2
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
_STORED_BLOCK_BYTES = 0xFFFF


class Deflater(Protocol):
    """What isal's and zlib's compressor objects have in common."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class StoredBlocks:
    """A deflater that does not compress: its output is a deflate stream of stored blocks (RFC 1951, 3.2.4)."""

    def compress(self, data: bytes, /) -> bytes:
        view = memoryview(data)
        parts: list[bytes | memoryview] = []
        for start in range(0, len(data), _STORED_BLOCK_BYTES):
            block = view[start : start + _STORED_BLOCK_BYTES]
            parts += (b"\x00", len(block).to_bytes(2, "little"), (len(block) ^ MAX_16).to_bytes(2, "little"), block)
        return b"".join(parts)

    def flush(self) -> bytes:
        return b"\x01\x00\x00\xff\xff"


class Member(msgspec.Struct):
    """The member that is being written. Sizes in bytes; `offset` is where its header starts."""

    name: bytes
    offset: int
    zip64: bool
    dos_time: int
    dos_date: int
    timestamp: bytes
    deflater: Deflater
    crc: int = 0
    size: int = 0
    compressed: int = 0


class ZipWriter:
    """One archive. `begin`, `add`…, `end` for each member, then `finish`; each returns the archive's next bytes."""

    def __init__(self) -> None:
        self.offset = 0
        self.count = 0
        self._directory = bytearray()
        self._member: Member | None = None

    def begin(self, name: str, *, modified: datetime | None, size: int | None, stored: bool) -> bytes:
        """Start a member. `size` is what will be added (None: unknown); `modified` None is ZIP's first day, 1980-01-01.

        `stored`: the bytes are compressed already, only wrap them.
        """
        assert self._member is None
        dos_time, dos_date = _dos(modified)
        member = self._member = Member(
            name=name.encode(),
            offset=self.offset,
            zip64=size is None or size >= ZIP64_FROM,
            dos_time=dos_time,
            dos_date=dos_date,
            timestamp=_timestamp(modified),
            deflater=StoredBlocks() if stored else isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15),
        )
        return self._out(_local_header(member))

    def add(self, block: bytes) -> bytes:
        """Compress the next bytes of the member. May take milliseconds and may run in a thread."""
        member = self._member
        assert member is not None
        member.crc = isal_zlib.crc32(block, member.crc)
        member.size += len(block)
        return self._deflated(member, member.deflater.compress(block))

    def end(self) -> bytes:
        """Finish the member: the rest of its compressed bytes and its data descriptor."""
        member = self._member
        assert member is not None
        rest = self._deflated(member, member.deflater.flush())
        assert member.zip64 or max(member.size, member.compressed) <= MAX_32
        form = _DESCRIPTOR_64 if member.zip64 else _DESCRIPTOR
        descriptor = self._out(form.pack(b"PK\x07\x08", member.crc, member.compressed, member.size))
        self._directory += _directory_entry(member)
        self.count += 1
        self._member = None
        return rest + descriptor

    def finish(self) -> Iterator[bytes]:
        """The central directory, in pieces of at most 256 KiB, and the end of the archive."""
        assert self._member is None
        start, size = self.offset, len(self._directory)
        for piece in range(0, size, DIRECTORY_PIECE):
            yield bytes(memoryview(self._directory)[piece : piece + DIRECTORY_PIECE])
        yield _end(start=start, size=size, count=self.count)

    def _deflated(self, member: Member, piece: bytes) -> bytes:
        member.compressed += len(piece)
        return self._out(piece)

    def _out(self, piece: bytes) -> bytes:
        self.offset += len(piece)
        return piece


def _local_header(member: Member) -> bytes:
    extra = member.timestamp
    if member.zip64:
        extra = _SIZES_64.pack(_ZIP64_EXTRA, 16, 0, 0) + extra
    size = MAX_32 if member.zip64 else 0
    header = _LOCAL.pack(
        b"PK\x03\x04", _version(member.zip64), _FLAGS, _DEFLATE, member.dos_time, member.dos_date,
        0, size, size, len(member.name), len(extra),
    )  # fmt: skip
    return header + member.name + extra


def _directory_entry(member: Member) -> bytes:
    extra, size, compressed, offset = b"", member.size, member.compressed, member.offset
    if member.zip64:
        extra = _SIZES_OFFSET_64.pack(_ZIP64_EXTRA, 24, size, compressed, offset)
        size = compressed = offset = MAX_32
    elif offset >= MAX_32:
        extra = _OFFSET_64.pack(_ZIP64_EXTRA, 8, offset)
        offset = MAX_32
    zip64 = bool(extra)
    extra += member.timestamp
    entry = _CENTRAL.pack(
        b"PK\x01\x02", 45, _UNIX, _version(zip64), _FLAGS, _DEFLATE, member.dos_time, member.dos_date,
        member.crc, compressed, size, len(member.name), len(extra), 0, 0, 0, _REGULAR_FILE, offset,
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
