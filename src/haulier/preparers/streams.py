"""Small tools for streams of bytes: closing, opening early, joining small pieces."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")

PIECE_BYTES = 2**18


@asynccontextmanager
async def closing(chunks: AsyncIterator[Item]) -> AsyncGenerator[AsyncIterator[Item], None]:
    """Close `chunks` at the end, when it can be closed."""
    try:
        yield chunks
    finally:
        await close(chunks)


async def close(chunks: AsyncIterator[Any]) -> None:
    """Release what `chunks` holds, when it can be closed."""
    aclose: Any = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()


async def primed(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """`chunks` after its first chunk, which must be empty.

    Closing a generator that never ran skips its `finally`; one that is primed releases what it opened. Errors of
    opening are raised here, before the worker begins to write.
    """
    opened = await anext(chunks)
    assert opened == b""
    return chunks


async def joined(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same bytes with small pieces joined to about 256 KiB, so that 100,000 tiny files are not 300,000 writes."""
    async with aclosing(pieces):
        waiting: list[bytes] = []
        size = 0
        async for piece in pieces:
            if len(piece) >= PIECE_BYTES:
                if waiting:
                    yield b"".join(waiting)
                    waiting, size = [], 0
                yield piece
                continue
            waiting.append(piece)
            size += len(piece)
            if size >= PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
        if size:
            yield b"".join(waiting)
