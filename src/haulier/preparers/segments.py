"""A member's bytes as segments that stand alone: each can be compressed by itself, at the same time as others, and by
another process that goes on from there. Pure.

A segment is SEGMENT_BYTES of the source (the last one less) and becomes deflate blocks that refer to nothing before
them, end on a whole byte and are not final (RFC 1951); FINAL ends the member. So the output depends on the source
alone, not on how it came or where somebody stopped.
"""

import platform
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import cache
from importlib.metadata import version

from isal import isal_zlib

from haulier.preparers import deflating
from haulier.preparers.streams import closing

SEGMENT_BYTES = 2**21  # larger ones compress no better (32 KiB is all that deflate looks back)
LEVEL = 1  # of isal: the size of zlib's level 2 at several times its speed
FINAL = b"\x03\x00"  # an empty last block

_BLOCK_BYTES = 0xFFFF

Piece = bytes | memoryview
Segment = Sequence[Piece]


async def segments(chunks: AsyncIterator[bytes]) -> AsyncGenerator[list[Piece], None]:
    """The same bytes in lists of SEGMENT_BYTES each (the last one less), without copying them."""
    pieces: list[Piece] = []
    room = SEGMENT_BYTES
    async with closing(chunks):
        async for chunk in chunks:
            rest: Piece = chunk
            while len(rest) >= room:
                yield [*pieces, rest if len(rest) == room else memoryview(rest)[:room]]
                rest = memoryview(rest)[room:]
                pieces, room = [], SEGMENT_BYTES
            if len(rest):
                pieces.append(rest)
                room -= len(rest)
    if pieces:
        yield pieces


def deflated(segment: Segment) -> bytes:
    """The segment compressed. Call it in a thread."""
    return deflating.compressed(_whole(segment), level=LEVEL, wrapper=deflating.RAW, end=deflating.NOT_LAST)


def stored(segment: Segment) -> bytes:
    """The segment as blocks that are not compressed: 5 bytes more for each 64 KiB, one copy."""
    parts: list[Piece] = []
    left, room = sum(map(len, segment)), 0
    for piece in segment:
        rest = memoryview(piece)
        while len(rest):
            if not room:
                room = min(left, _BLOCK_BYTES)
                parts.append(b"\x00" + room.to_bytes(2, "little") + (room ^ 0xFFFF).to_bytes(2, "little"))
            parts.append(rest[:room])
            taken = min(room, len(rest))
            rest = rest[taken:]
            left -= taken
            room -= taken
    return b"".join(parts)


def sample(segment: Segment, size: int) -> bytes:
    """The first `size` bytes."""
    if len(segment[0]) >= size:
        return bytes(segment[0][:size])
    return _whole(segment)[:size]


@cache
def dialect() -> str:
    """Names what decides about the output besides the input: isal has code for each family of processors.

    A stream can be continued where this is the same.
    """
    probe = b"".join(b"%d %x %d\n" % (n, n * n, n % 97) for n in range(20_000))
    return f"{platform.machine()} isal {version('isal')} {isal_zlib.crc32(deflated([probe])):08x}"


def _whole(segment: Segment) -> bytes:
    first = segment[0]
    return first if len(segment) == 1 and isinstance(first, bytes) else b"".join(segment)
