"""`archive`: one ZIP of any number of objects and other files, streamed.

Memory stays at a few MiB and one record for each member. Names follow names.py, the format zipping.py.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import msgspec
from msgspec import Meta

from haulier.preparers.compressible import is_compressed
from haulier.preparers.names import UniqueNames
from haulier.preparers.port import Build, Preparer, Result, Stream
from haulier.preparers.sources import Plan, Source, planned
from haulier.preparers.streams import blocks, joined, primed
from haulier.preparers.zipping import ZipWriter

THREAD_FROM_BYTES = 2**15  # compressing less takes no longer than going to a thread and back


class ArchiveParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes into the archive; at least one of `prefix`, `keys` and `file_ids`, in this order."""

    prefix: Annotated[str, Meta(description="All objects of this folder of the store, in key order.")] = ""
    keys: Annotated[tuple[str, ...], Meta(description="These objects of the store.")] = ()
    file_ids: Annotated[tuple[int, ...], Meta(description="These files of the catalogue.")] = ()
    strip: Annotated[
        str | None,
        Meta(description="Leading part of keys that names in the archive lack. Default: `prefix` for its objects."),
    ] = None

    def __post_init__(self) -> None:
        if not (self.prefix or self.keys or self.file_ids):
            raise ValueError("archive needs `prefix`, `keys` or `file_ids`")


async def prepare(build: Build) -> Result:
    """A ZIP of what the params name.

    Raises SourceMissing (nothing found, or a member vanished), SourceChanged, SourceTruncated; and what a part raises.
    """
    chunks = await primed(_archive(build, build.params))
    return Stream(file_name=build.file_name or "archive.zip", content_type="application/zip", chunks=chunks)


async def _archive(build: Build, params: ArchiveParams) -> AsyncGenerator[bytes, None]:
    build.report(done=0, stage="listing")
    async with planned(
        build, prefix=params.prefix, keys=params.keys, file_ids=params.file_ids, strip=params.strip
    ) as plan:
        yield b""
        async with aclosing(joined(_pieces(build, plan))) as pieces:
            async for piece in pieces:
                yield piece


async def _pieces(build: Build, plan: Plan) -> AsyncGenerator[bytes, None]:
    writer, names, meter = ZipWriter(), UniqueNames(), Meter(build, plan.total)
    async with aclosing(plan.sources()) as sources:
        async for source in sources:
            async with aclosing(_member(writer, source, names.claim(source.path), meter)) as pieces:
                async for piece in pieces:
                    yield piece
    for piece in writer.finish():
        yield piece


async def _member(writer: ZipWriter, source: Source, name: str, meter: "Meter") -> AsyncGenerator[bytes, None]:
    async with aclosing(blocks(source.read())) as content:
        block = await anext(content, b"")
        stored = is_compressed(name, block)
        yield writer.begin(name, modified=source.modified, size=source.size, stored=stored)
        while block:
            meter.count(len(block))
            if stored or len(block) < THREAD_FROM_BYTES:
                yield writer.add(block)
            else:
                yield await asyncio.to_thread(writer.add, block)
            block = await anext(content, b"")
    yield writer.end()


class Meter:
    """Reports the bytes read from sources."""

    def __init__(self, build: Build, total: int | None) -> None:
        self._build = build
        self._total = total
        self._done = 0

    def count(self, size: int) -> None:
        self._done += size
        self._build.report(done=self._done, total=self._total, stage="archiving")


PREPARER = Preparer(
    name="archive",
    params=ArchiveParams,
    prepare=prepare,
    description="A ZIP of many objects or files, streamed.",
)
