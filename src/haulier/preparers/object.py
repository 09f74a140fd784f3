"""`object`: the file exists in the store; check it and publish it as it is."""

import mimetypes
from typing import Annotated

import msgspec
from msgspec import Meta

from haulier.errors import SourceMissing
from haulier.preparers.names import safe_file_name
from haulier.preparers.port import Build, Existing, Preparer, Result


class ObjectParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which object."""

    key: Annotated[str, Meta(description="The object's key in the store.", min_length=1)]


async def prepare(build: Build) -> Result:
    """The object with the params' key. Raises SourceMissing when there is none."""
    params: ObjectParams = build.params
    found = await build.storage.head(params.key)
    if found is None:
        raise SourceMissing(name=params.key)
    file_name = build.file_name or safe_file_name(params.key)
    return Existing(
        key=found.key,
        size=found.size,
        etag=found.etag,
        file_name=file_name,
        content_type=_content_type(file_name),
    )


def _content_type(file_name: str) -> str:
    kind, encoding = mimetypes.guess_type(file_name)
    return "application/octet-stream" if kind is None or encoding else kind


PREPARER = Preparer(
    name="object",
    params=ObjectParams,
    prepare=prepare,
    description="An object of the store, published as it is.",
)
