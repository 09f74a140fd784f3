"""A query's bytes with marks, from the start or from a mark of an earlier attempt.

A text file goes on behind the last key of its mark: the rows before are not read again. A Parquet file ends with a
table of all its row groups, so its rows are read again from the start, and the bytes that the store has are made again,
compared with their digest, and left out.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import msgspec
import structlog

from haulier.errors import AttemptError, BadRecipe, UploadLost
from haulier.observe.events import QUERY_ERROR, QUERY_READ_AGAIN
from haulier.preparers.port import Build, Mark, Result, Resumable
from haulier.preparers.query.columns import Column, behind, check_key, checksum, reading, unique
from haulier.preparers.query.output import Output
from haulier.preparers.query.params import FILE_ID, QueryParams, request_params, values
from haulier.preparers.query.progress import AGAIN, STAGE, QueryProgress
from haulier.preparers.query.reading import FIRST_FETCH, Chunk, Chunks, Encoder
from haulier.preparers.query.source import Snapshot, open_snapshot
from haulier.preparers.query.sqltext import bound

PIECE_BYTES = 2**20

log = structlog.get_logger()


class Place(msgspec.Struct, frozen=True):
    """A mark's state: rows and bytes so far, the last key as text, the next fetch, and what must not have changed."""

    rows: int = 0
    size: int = 0
    after: tuple[str, ...] = ()
    fetch: int = FIRST_FETCH
    columns: int = 0
    sha256: str = ""


async def prepare(build: Build) -> Result:
    """The query's file; the database is asked when it is opened. Raises BadRecipe when there is no such database.

    Its versions are unknown, so two jobs never share it; an interrupted one goes on when the rule has a `key`.
    """
    params: QueryParams = build.params
    chosen = build.request_params if build.request_params is not None else _nothing_chosen(params)
    query = Query(build, params, chosen)
    return Resumable(
        file_name=query.output.file_name(build.file_name or f"query-{build.request.file_id}"),
        content_type=query.output.content_type,
        open=query.open,
        inputs=None,
    )


class Query:
    """One request's query with its arguments."""

    def __init__(self, build: Build, params: QueryParams, chosen: msgspec.Struct) -> None:
        url = build.settings.query_url(params.database)
        if not url:
            raise BadRecipe(reason=f"query: no database {params.database!r} is configured")
        self._url = url
        self._build = build
        self._params = params
        self.output = Output.of(params, chosen)
        self._sql = bound(params.sql, params.sql_types)
        named: dict[str, Any] = values(params, chosen) | {FILE_ID: build.request.file_id}
        self._arguments = [named[name] for name in self._sql.names]

    async def open(self, mark: Mark | None) -> AsyncGenerator[bytes | Mark, None]:
        """All bytes, or those behind `mark`. Raises UploadLost for a mark of other columns or rows: then start over."""
        try:
            async with aclosing(self._pieces(Place() if mark is None else _place(mark))) as found:
                async for piece in found:
                    yield piece
        except AttemptError as error:
            if error.__cause__ is not None:
                log.warning(QUERY_ERROR, code=error.code, cause=str(error.__cause__))
            raise

    async def _pieces(self, place: Place) -> AsyncGenerator[bytes | Mark, None]:
        """Text begins where `place` is; Parquet begins anew, and leaves out the bytes before `place`."""
        skip = place if self.output.format == "parquet" else Place()
        start = Place() if skip.size else place
        progress = QueryProgress(self._build, rows=start.rows, size=start.size)
        progress.start()
        async with open_snapshot(self._url.reveal(), timeout_s=self._params.statement_timeout_s) as snapshot:
            columns = unique(await snapshot.describe(self._sql.sql))
            check_key(self._params.key_columns, columns)
            if place.size and place.columns != checksum(columns):
                raise UploadLost
            encoder = await self.output.encoder(columns, self._params)
            if not start.size:
                await asyncio.to_thread(encoder.begin)
            progress.expected = start.rows + await self._start(snapshot, encoder, columns, start)
            stream = _Stream(encoder, progress, marked=bool(self._params.key_columns), columns=checksum(columns))
            chunks = Chunks(snapshot, encoder, fetch=start.fetch, key=start.after)
            async with aclosing(stream.pieces(chunks, skip=skip, first=not start.size)) as found:
                async for piece in found:
                    yield piece
        progress.end()

    async def _start(self, snapshot: Snapshot, encoder: Encoder, columns: tuple[Column, ...], place: Place) -> int:
        """Open the cursor behind `place`; how many rows the planner expects of it."""
        key = self._params.key_columns
        sql, arguments = self._sql.sql, [*self._arguments, *place.after]
        if place.after:
            sql = behind(sql, columns, key=key, first=len(self._arguments) + 1)
        sql = reading(sql, columns, encoder.selects, key=key)
        expected = await snapshot.estimate(sql, arguments)
        await snapshot.start(sql, arguments)
        return expected


class _Stream:
    """Chunks as bytes and marks."""

    def __init__(self, encoder: Encoder, progress: QueryProgress, *, marked: bool, columns: int) -> None:
        self._encoder = encoder
        self._progress = progress
        self._marked = marked
        self._columns = columns
        self._digest = hashlib.sha256()

    async def pieces(self, chunks: Chunks, *, skip: Place, first: bool) -> AsyncGenerator[bytes | Mark, None]:
        ended = False
        while not ended:
            chunk = await chunks.next()
            ended = chunk.ended
            content = await asyncio.to_thread(self._content, chunk, first)
            first = False
            again = self._progress.size < skip.size
            self._progress.add(rows=chunk.rows, size=len(content), stage=AGAIN if again else STAGE)
            if again:
                self._compare(skip, ended=ended)
                continue
            for piece in _cut(content):
                yield piece
            if self._marked and not ended:
                yield self._mark(chunk, fetch=chunks.fetch)

    def _content(self, chunk: Chunk, first: bool) -> bytes:
        """The chunk's bytes, and the file's last ones behind the last chunk. Without rows only the first one counts."""
        content = chunk.content if chunk.rows or first else b""
        if chunk.ended:
            content += self._encoder.finish()
        self._digest.update(content)
        return content

    def _compare(self, skip: Place, *, ended: bool) -> None:
        """Raise UploadLost when the bytes made again are not those that the store has."""
        if self._progress.size < skip.size and not ended:
            return
        if self._progress.size != skip.size or self._digest.hexdigest() != skip.sha256:
            raise UploadLost
        log.info(QUERY_READ_AGAIN, rows=self._progress.rows, bytes=self._progress.size)

    def _mark(self, chunk: Chunk, *, fetch: int) -> Mark:
        place = Place(
            rows=self._progress.rows,
            size=self._progress.size,
            after=chunk.key,
            fetch=fetch,
            columns=self._columns,
            sha256=self._digest.hexdigest(),
        )
        return Mark(state=msgspec.to_builtins(place))


def _place(mark: Mark) -> Place:
    """The mark's place. Raises UploadLost for a mark of another version of this preparer."""
    try:
        place = msgspec.convert(mark.state, Place)
    except msgspec.ValidationError as error:
        raise UploadLost from error
    if not place.size:
        raise UploadLost
    return place


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES))


def _nothing_chosen(params: QueryParams) -> msgspec.Struct:
    """The defaults, for a query without a choice (as a part of an archive)."""
    try:
        return msgspec.convert({}, request_params(params))
    except msgspec.ValidationError as error:
        raise BadRecipe(reason=f"query: nobody chose its parameters: {error}") from error
