"""One upload: a stream handed to obstore in bounded memory, which ends whole or not at all.

The caller's chunks are read in the caller's own task (obstore would run every step in a task of its own, which breaks
timeouts and cancel scopes inside them) and passed on through a queue of one piece. Cancelling obstore's task would
leave a multipart upload behind for ever; raising inside the stream that it reads makes it abort the upload.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import msgspec

from haulier.failpoints import Point, reached

PIECE_BYTES = 1 << 20
SETTLE_S = 20.0  # an aborted upload gets this long to remove itself; the sweep has what remains


class Uploaded(msgspec.Struct, frozen=True):
    """What the store received. `etag` is empty when the store does not tell it in its answer."""

    size: int
    sha256: str
    etag: str


class Put:
    """What an upload needs of a store: `start` stores bytes or a stream and answers the ETag, `remove` undoes it."""

    def __init__(
        self, start: Callable[[bytes | AsyncIterator[bytes]], Awaitable[str]], remove: Callable[[], Awaitable[None]]
    ) -> None:
        self.start = start
        self.remove = remove


class UploadFailed(Exception):
    """The store failed; `__cause__` is its error. Errors of the chunks are never wrapped."""


class _UploadEnded(Exception):
    """The store ended the upload while there was more to send; its result says why."""


class _Aborted(Exception):
    """Raised inside the stream that the store reads."""


class _Feed:
    """The stream that the store reads: one piece at a time, then the end or an abort."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._aborted = False
        self._unread = False

    async def send(self, piece: bytes | None) -> None:
        """Hand over a piece, None for the end; waits while the store is busy with the one before."""
        if self._unread:
            raise _UploadEnded
        await self._queue.put(piece)

    def abort(self) -> None:
        self._aborted = True
        self._drain()
        self._queue.put_nowait(None)

    def stop(self) -> None:
        """Nobody reads any more: let a waiting `send` go on, and refuse the next."""
        self._unread = True
        self._drain()

    def _drain(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    def __aiter__(self) -> "_Feed":
        return self

    async def __anext__(self) -> bytes:
        piece = await self._queue.get()
        if self._aborted:
            raise _Aborted
        if piece is None:
            raise StopAsyncIteration
        return piece


async def upload(chunks: AsyncIterable[bytes], put: Put) -> Uploaded:
    """Store all of `chunks`. When they raise, or the calling task is cancelled, nothing stays and that error goes on.

    Raises UploadFailed when the store fails.
    """
    async with aclosing(_pieces(chunks)) as pieces:
        first = await anext(pieces, b"")
        if len(first) < PIECE_BYTES:  # that was all of it: one request instead of three
            return await _whole(first, put)
        return await _stream(first, pieces, put)


async def _whole(content: bytes, put: Put) -> Uploaded:
    sending = asyncio.ensure_future(put.start(content))
    try:
        etag = await _answer(sending)
    except asyncio.CancelledError:
        await _settle(sending, put)
        raise
    return Uploaded(len(content), hashlib.sha256(content).hexdigest(), etag)


async def _stream(first: bytes, rest: AsyncIterator[bytes], put: Put) -> Uploaded:
    feed, digest, size = _Feed(), hashlib.sha256(), 0
    sending = asyncio.ensure_future(put.start(feed))
    sending.add_done_callback(lambda _: feed.stop())
    try:
        piece = first
        while piece:
            await feed.send(piece)
            await reached(Point.PART_SENT)
            await asyncio.to_thread(digest.update, piece)
            size += len(piece)
            piece = await anext(rest, b"")
        await feed.send(None)
        etag = await _answer(sending)
    except _UploadEnded:
        await _answer(sending)  # raises what ended it
        raise UploadFailed from None
    except BaseException:
        feed.abort()
        await _settle(sending, put)
        raise
    return Uploaded(size, digest.hexdigest(), etag)


async def _answer(sending: "asyncio.Future[str]") -> str:
    try:
        return await asyncio.shield(sending)
    except Exception as error:
        raise UploadFailed from error


async def _settle(sending: "asyncio.Future[str]", put: Put) -> None:
    """Wait for an abandoned upload to end, and remove its object if it came through; cancelling waits for that too."""
    cleaning = asyncio.ensure_future(_clean(sending, put))
    cancelled: asyncio.CancelledError | None = None
    while not cleaning.done():
        try:
            await asyncio.wait({cleaning})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _clean(sending: "asyncio.Future[str]", put: Put) -> None:
    await asyncio.wait({sending}, timeout=SETTLE_S)
    if not sending.done():
        sending.cancel()
    elif not sending.cancelled() and sending.exception() is None:
        await put.remove()


async def _pieces(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes in pieces of at least 1 MiB, but for the last. Closes `chunks` when it is a generator."""
    held: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            held.append(bytes(chunk))
            size += len(chunk)
            if size >= PIECE_BYTES:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
