"""`archive`: one ZIP of any number of objects and other files, streamed, with a manifest.

planning.py finds what goes in, names.py names it, lanes.py reads and packs it ahead, assembling.py puts it in order.
Memory stays at a few dozen MiB and one record for each member.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from haulier.preparers.assembling import Assembly
from haulier.preparers.manifest import NAME
from haulier.preparers.marking import Place, Records, place_of
from haulier.preparers.planning import Plan, Wanted
from haulier.preparers.port import Build, Mark, Preparer, Result, Resumable, Stream
from haulier.preparers.streams import primed

CONTENT_TYPE = "application/zip"


class ArchiveParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes into the archive; at least one of `prefix`, `keys` and `file_ids`, in this order."""

    prefix: Annotated[str, Meta(description="All objects of this folder of the store, in key order.")] = ""
    keys: Annotated[tuple[str, ...], Meta(description="These objects of the store.")] = ()
    file_ids: Annotated[tuple[int, ...], Meta(description="These files of the catalogue.")] = ()
    strip: Annotated[
        str | None,
        Meta(description="Leading part of keys that names in the archive lack. Default: `prefix` for its objects."),
    ] = None
    allow_missing: Annotated[
        bool,
        Meta(description="Leave out what does not exist or is denied; the manifest says so. Requests may ask too."),
    ] = False

    def __post_init__(self) -> None:
        if not (self.prefix or self.keys or self.file_ids):
            raise ValueError("archive needs `prefix`, `keys` or `file_ids`")


async def prepare(build: Build) -> Result:
    """A ZIP of what the params name, with a manifest; continued from its marks when all its sources can be.

    Raises SourceMissing or SourceDenied for what is absent, unless that is allowed and something is left;
    SourceChanged; and what a part raises.
    """
    params: ArchiveParams = build.params
    build.report(done=0, stage="listing")
    plan = Plan(
        build,
        Wanted(
            prefix=params.prefix,
            keys=params.keys,
            file_ids=params.file_ids,
            strip=params.strip,
            allow_missing=params.allow_missing or build.request.allow_missing,
        ),
    )
    try:
        await plan.find(reserved=NAME)
        inputs = plan.inputs
        file_name = build.file_name or "archive.zip"
        if inputs is None:
            return Stream(file_name, await primed(_at_once(build, plan)), CONTENT_TYPE)
        digest = await asyncio.to_thread(plan.digest)
    except BaseException:
        await plan.aclose()
        raise
    return Resumable(file_name, partial(_opened, build, plan, digest), inputs, CONTENT_TYPE, variant=digest)


def _opened(build: Build, plan: Plan, digest: str, mark: Mark | None) -> AsyncGenerator[bytes | Mark, None]:
    """The archive from its start or from `mark` on. Raises UploadLost when that is a mark of other bytes."""
    place = Place(Records()) if mark is None else place_of(mark, plan=digest)
    return Assembly(build, plan, place, plan_digest=digest).run()


async def _at_once(build: Build, plan: Plan) -> AsyncGenerator[bytes, None]:
    """An archive with a source in no known version: another attempt may find other bytes, so it has no marks."""
    try:
        yield b""
        async with aclosing(Assembly(build, plan, Place(Records()), plan_digest=None).run()) as items:
            async for item in items:
                assert not isinstance(item, Mark)
                yield item
    finally:
        await plan.aclose()


PREPARER = Preparer(
    name="archive",
    params=ArchiveParams,
    prepare=prepare,
    description="A ZIP of many objects or files with a manifest, streamed.",
    version="3",
)
