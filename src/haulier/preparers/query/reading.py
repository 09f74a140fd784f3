"""From a cursor to chunks of rows. Where a chunk ends, and how many rows are asked for at a time, follow from the rows
alone, never from timing: whoever makes a chunk again makes the same bytes.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec

from haulier.errors import BadRecipe
from haulier.preparers.query.source import Snapshot

FIRST_FETCH = 10
MOST_FETCHED = 2_000
FETCH_BYTES = 2**20


class Encoder(Protocol):
    """Rows to bytes, a chunk at a time. `add` and `cut` take long and run in threads."""

    @property
    def chunk_rows(self) -> int: ...
    @property
    def chunk_bytes(self) -> int: ...
    @property
    def selects(self) -> Sequence[str]: ...
    @property
    def key_at(self) -> Sequence[int]: ...
    def begin(self) -> None: ...
    def add(self, rows: Sequence[Sequence[Any]]) -> int: ...
    def cut(self) -> bytes: ...
    def finish(self) -> bytes: ...


class Chunk(msgspec.Struct, frozen=True):
    """Encoded rows: how many, the key of the last one, and whether the result ended with them."""

    content: bytes
    rows: int
    key: tuple[Any, ...]
    ended: bool


class Chunks:
    """Reads one cursor: the server finds the next rows while a thread encodes the ones before."""

    def __init__(self, snapshot: Snapshot, encoder: Encoder, *, fetch: int, key: tuple[Any, ...] = ()) -> None:
        self._snapshot = snapshot
        self._encoder = encoder
        self.fetch = fetch
        self._key = key

    async def next(self) -> Chunk:
        """The next chunk: `chunk_rows` rows, or fewer when they are large (about `chunk_bytes`) or the last ones."""
        taken = encoded = size = 0
        asked = min(self.fetch, self._encoder.chunk_rows)
        pending = asyncio.create_task(self._snapshot.fetch(asked))
        try:
            while True:
                rows = await pending
                taken += len(rows)
                ended = len(rows) < asked
                full = taken >= self._encoder.chunk_rows or size >= self._encoder.chunk_bytes
                if not ended and not full:
                    self.fetch = _next_fetch(self.fetch, rows=encoded, size=size)
                    asked = min(self.fetch, self._encoder.chunk_rows - taken)
                    pending = asyncio.create_task(self._snapshot.fetch(asked))
                if rows:
                    size += await asyncio.to_thread(self._add, rows)
                    encoded = taken
                if ended or full:
                    self.fetch = _next_fetch(self.fetch, rows=taken, size=size)
                    return Chunk(await asyncio.to_thread(self._encoder.cut), taken, self._key, ended)
        finally:
            await _settled(pending)

    def _add(self, rows: Sequence[Sequence[Any]]) -> int:
        if self._encoder.key_at:
            self._key = _last_key(rows, at=self._encoder.key_at, before=self._key)
        return self._encoder.add(rows)


def _next_fetch(last: int, *, rows: int, size: int) -> int:
    """Twice as many as before, at most MOST_FETCHED or FETCH_BYTES, going by the `rows` that took `size` bytes."""
    if not size:
        return last
    return max(1, min(2 * last, MOST_FETCHED, FETCH_BYTES * rows // size))


def _last_key(rows: Sequence[Sequence[Any]], *, at: Sequence[int], before: tuple[Any, ...]) -> tuple[Any, ...]:
    """The last row's key. Raises BadRecipe when a key is NULL or comes twice: a continued build would lose rows."""
    columns = [[row[place] for row in rows] for place in at]
    if any(None in column for column in columns):
        raise BadRecipe(reason="query: its key is NULL in some rows")
    keys: Collection[Any] = set(columns[0] if len(columns) == 1 else zip(*columns, strict=True))
    if len(keys) != len(rows) or before == tuple(column[0] for column in columns):
        raise BadRecipe(reason="query: its key is not unique")
    return tuple(column[-1] for column in columns)


async def _settled(task: "asyncio.Task[Any]") -> None:
    """Wait for a fetch that nobody wants any more; cancelling it cancels the query on the server."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # somebody has seen it, or it does not matter any more
