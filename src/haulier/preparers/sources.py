"""Where the bytes of an archive's members come from: objects of the store and parts of the catalogue."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime

import msgspec

from haulier.errors import SourceChanged, SourceTruncated
from haulier.preparers.digests import verified
from haulier.preparers.port import Mark, Resumable, Stream
from haulier.preparers.streams import closing
from haulier.storage import ObjectInfo, Storage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(msgspec.Struct, frozen=True):
    """One member to be. `source` and `etag` say what it is a version of: an object's key, or what a part was made from.

    `path` is what it would like to be called. `size` and `modified` may be unknown. `part` is None for objects.
    `index` is its place among the request's files, when it is one of them.
    """

    source: str
    etag: str
    path: str
    size: int | None
    modified: datetime | None
    part: Resumable | Stream | None = None
    index: int | None = None


async def read(entry: Entry, *, storage: Storage, start: int = 0) -> AsyncGenerator[bytes, None]:
    """The bytes of `entry` from `start` on; a Stream is read once, and from its first byte.

    Raises SourceTruncated when they end early, SourceChanged when there are too many, SourceDamaged when they do not
    have the digest that was stated.
    """
    got = start
    async with closing(_opened(entry, storage, start)) as chunks:
        async for chunk in chunks:
            got += len(chunk)
            if entry.size is not None and got > entry.size:
                raise SourceChanged(name=entry.source)
            yield chunk
    if entry.size is not None and got < entry.size:
        raise SourceTruncated(name=entry.source, got=got, expected=entry.size)


async def read_few(entries: Sequence[Entry], *, storage: Storage) -> Sequence[bytes]:
    """The bytes of small objects, whole. Raises what `read` raises."""
    infos = [
        ObjectInfo(key=entry.source, size=entry.size or 0, etag=entry.etag, last_modified=entry.modified or EPOCH)
        for entry in entries
    ]
    contents = await storage.read_small(infos)
    for info, content in zip(infos, contents, strict=True):
        if len(content) > info.size:
            raise SourceChanged(name=info.key)
        if len(content) < info.size:
            raise SourceTruncated(name=info.key, got=len(content), expected=info.size)
    return contents


def _opened(entry: Entry, storage: Storage, start: int) -> AsyncIterator[bytes]:
    match entry.part:
        case None:
            return storage.read(entry.source, start=start, etag=entry.etag)
        case Resumable() as part:
            return _from(start, verified(_without_marks(part), part.digests, name=part.file_name))
        case Stream() as part:
            assert start == 0
            return part.chunks


async def _without_marks(part: Resumable) -> AsyncGenerator[bytes, None]:
    """All bytes of `part`: its marks are places in its own stream, and this one has others."""
    async with closing(part.open(None)) as items:
        async for item in items:
            if not isinstance(item, Mark):
                yield item


async def _from(start: int, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with closing(chunks):
        async for chunk in chunks:
            skipped = min(start, len(chunk))
            start -= skipped
            if skipped < len(chunk):
                yield chunk[skipped:] if skipped else chunk
