"""Small tools for streams of bytes: closing, cutting into equal blocks, joining small pieces."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

BLOCK_BYTES = 2**20
PIECE_BYTES = 2**18


@asynccontextmanager
async def closing(chunks: AsyncIterator[bytes]) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """Close `chunks` at the end, when it can be closed."""
    try:
        yield chunks
    finally:
        await close(chunks)


async def close(chunks: AsyncIterator[bytes]) -> None:
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


async def blocks(chunks: AsyncIterator[bytes], *, size: int = BLOCK_BYTES) -> AsyncGenerator[bytes, None]:
    """The same bytes in blocks of exactly `size` (the last may be shorter), however the source cut them."""
    async with closing(chunks):
        pending = bytearray()
        async for chunk in chunks:
            if not pending and len(chunk) == size:
                yield chunk
                continue
            pending += chunk
            while len(pending) >= size:
                yield bytes(memoryview(pending)[:size])
                del pending[:size]
        if pending:
            yield bytes(pending)


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
