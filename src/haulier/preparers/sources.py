"""What an archive is made of: its members in order, found before the first byte is written where that is possible."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice

import msgspec

from haulier.errors import SourceChanged, SourceMissing, SourceTruncated
from haulier.preparers.port import Build, Existing, Stream
from haulier.preparers.streams import close, closing
from haulier.storage import ObjectInfo, Storage

HEADS_AT_A_TIME = 32


class Source(msgspec.Struct, frozen=True):
    """One member to be: `path` is not made safe yet, `name` is for errors, `size` and `modified` may be unknown."""

    name: str
    path: str
    size: int | None
    modified: datetime | None
    open: Callable[[], AsyncIterator[bytes]]

    async def read(self) -> AsyncGenerator[bytes, None]:
        """Its bytes, once. Raises SourceTruncated when they end early, SourceChanged when there are too many."""
        got = 0
        async with closing(self.open()) as chunks:
            async for chunk in chunks:
                got += len(chunk)
                if self.size is not None and got > self.size:
                    raise SourceChanged(name=self.name)
                yield chunk
        if self.size is not None and got < self.size:
            raise SourceTruncated(name=self.name, got=got, expected=self.size)


class Found(msgspec.Struct, frozen=True):
    """An object of the store and the path it gets in the archive."""

    info: ObjectInfo
    path: str


class Plan:
    """Members in order: objects found beforehand, then parts that are streams and are opened when their turn comes."""

    def __init__(self, build: Build, found: list[Found], opened: Stream | None, later: Sequence[int]) -> None:
        self._build = build
        self._found = found
        self._opened = opened
        self._later = later

    @property
    def total(self) -> int | None:
        """Bytes of all members, or None when a member's size shows only when it is read."""
        return None if self._opened else sum(found.info.size for found in self._found)

    async def sources(self) -> AsyncGenerator[Source, None]:
        """Each member once. A stream must be read (or the plan closed) before the next is asked for."""
        for found in self._found:
            yield _object(self._build.storage, found)
        if self._opened:
            yield _stream(self._opened)
        for file_id in self._later:
            part = await self._build.part(file_id)
            if isinstance(part, Stream):
                self._opened = part
                yield _stream(part)
            else:
                yield _object(self._build.storage, await _found(self._build.storage, part))

    async def aclose(self) -> None:
        if self._opened:
            await close(self._opened.chunks)


@asynccontextmanager
async def planned(
    build: Build, *, prefix: str, keys: Sequence[str], file_ids: Sequence[int], strip: str | None
) -> AsyncGenerator[Plan, None]:
    """The plan of an archive. Raises SourceMissing when a key does not exist or nothing at all was found."""
    found: list[Found] = []
    if prefix:
        folder = prefix if prefix.endswith("/") else prefix + "/"
        found += [
            Found(info, _relative(info.key, folder if strip is None else strip))
            async for info in build.storage.list(folder)
            if not info.key.endswith("/")  # folder markers of S3 consoles
        ]
        if not found:
            raise SourceMissing(name=folder)
    found += [Found(info, _relative(info.key, strip or "")) for info in await _heads(build.storage, keys)]
    plan = await _with_parts(build, found, file_ids)
    try:
        yield plan
    finally:
        await plan.aclose()


async def _with_parts(build: Build, found: list[Found], file_ids: Sequence[int]) -> Plan:
    # A stream may hold a connection, so only one is open at a time: look ahead no further than the first.
    for at, file_id in enumerate(file_ids):
        part = await build.part(file_id)
        if isinstance(part, Stream):
            return Plan(build, found, part, file_ids[at + 1 :])
        found.append(await _found(build.storage, part))
    return Plan(build, found, None, ())


async def _found(storage: Storage, part: Existing) -> Found:
    info = await storage.head(part.key)
    if info is None:
        raise SourceMissing(name=part.key)
    if info.etag != part.etag:
        raise SourceChanged(name=part.key)
    return Found(info, part.file_name)


async def _heads(storage: Storage, keys: Sequence[str]) -> list[ObjectInfo]:
    """The metadata of all keys, in their order."""
    infos: list[ObjectInfo] = []
    waiting = iter(keys)
    while batch := list(islice(waiting, HEADS_AT_A_TIME)):
        # return_exceptions: none of them may go on by itself when another fails
        answers = await asyncio.gather(*(storage.head(key) for key in batch), return_exceptions=True)
        for key, answer in zip(batch, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            if answer is None:
                raise SourceMissing(name=key)
            infos.append(answer)
    return infos


def _relative(key: str, strip: str) -> str:
    return key.removeprefix(strip) or key


def _object(storage: Storage, found: Found) -> Source:
    info = found.info
    return Source(
        name=info.key,
        path=found.path,
        size=info.size,
        modified=info.last_modified,
        open=lambda: storage.read(info.key, etag=info.etag),
    )


def _stream(part: Stream) -> Source:
    return Source(name=part.file_name, path=part.file_name, size=part.size, modified=None, open=lambda: part.chunks)
