"""`fetch`: the file comes from an HTTP origin, byte for byte as it is sent there, resumed when it is interrupted.

The origin is asked twice: once for the version, without reading the body, so that the worker can see whether it has
that already; and once for the bytes. An origin that names no version is asked once, and starts over with each attempt.
"""

import math
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Annotated

import httpx
import msgspec
from msgspec import Meta, field

from haulier.addresses import AddressRules
from haulier.errors import SourceChanged
from haulier.preparers.digests import verified
from haulier.preparers.download import Download
from haulier.preparers.headers import Answer
from haulier.preparers.origin import RESERVED_HEADERS, Origin, Patience, input_name
from haulier.preparers.port import Build, Mark, Preparer, Result, Resumable, Stream
from haulier.preparers.streams import joined, primed
from haulier.provenance import Input

MARK_BYTES = 2**20


class FetchParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the file is. The rule's `file_name` wins over the name that the origin gives."""

    url: Annotated[str, Meta(description="Address of the file, http or https.")]
    headers: Annotated[
        dict[str, str], Meta(description="Headers to send, as for authorization; not to other hosts after a redirect.")
    ] = field(default_factory=dict[str, str])
    max_bytes: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Largest size to accept, when less than HAULIER_FETCH_MAX_BYTES."),
    ] = None
    timeout_s: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Longest that all of it may take, when less than HAULIER_FETCH_TOTAL_TIMEOUT_S."),
    ] = None
    verify: Annotated[bool, Meta(description="Compare the bytes with the digests that the origin states.")] = True

    def __post_init__(self) -> None:
        if not _is_web_address(self.url):
            raise ValueError("`url` must be an http:// or https:// address")
        for name, value in self.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or name.lower() in RESERVED_HEADERS:
                raise ValueError(f"`headers` must not hold {name!r}")
            if not re.fullmatch(r"[\t\x20-\x7e]*", value):
                raise ValueError(f"the value of the header {name!r} must be printable ASCII")


async def prepare(build: Build) -> Result:
    """The origin's file, once it has answered: resumable when the answer names its version, else a stream.

    Raises SourceMissing, SourceDenied, SourceRefused, SourceTooLarge for good; SourceUnavailable, SourceChanged,
    SourceTruncated and SourceDamaged for now. The same can come out of what is opened.
    """
    origin = _origin(build)
    download = Download(build, origin, max_bytes=_max_bytes(build))
    chunks = await primed(_once(build, origin, download))
    answer = download.answer
    file_name = build.file_name or answer.file_name
    if answer.validator is None or _is_unsteady(build):
        return Stream(file_name=file_name, content_type=answer.content_type, size=answer.size, chunks=chunks)
    await chunks.aclose()
    return Resumable(
        file_name=file_name,
        content_type=answer.content_type,
        size=answer.size,
        inputs=(Input(name=input_name(build.params.url), etag=answer.validator, size=answer.size),),
        digests=_digests(build, answer),
        open=partial(_opened, build, answer),
    )


async def _once(build: Build, origin: Origin, download: Download) -> AsyncGenerator[bytes, None]:
    """An empty chunk with the first answer, then all bytes, compared with its digests: nobody else could."""
    async with origin, aclosing(download.transfer()) as transfer:
        yield await anext(transfer)
        async with aclosing(verified(joined(transfer), _digests(build, download.answer), name=origin.name)) as pieces:
            async for piece in pieces:
                yield piece


async def _opened(build: Build, answer: Answer, mark: Mark | None) -> AsyncGenerator[bytes | Mark, None]:
    """The bytes of the version that `answer` named, from `mark` on, with a mark about every MiB."""
    async with _origin(build) as origin:
        offset = _offset(answer, mark, name=origin.name)
        download = Download(build, origin, max_bytes=_max_bytes(build), answer=answer)
        async with aclosing(download.transfer(start=offset)) as transfer:
            try:
                await anext(transfer)
            except SourceChanged:
                await build.save({"unsteady": True})
                raise
            marked = offset
            async with aclosing(joined(transfer)) as pieces:
                async for piece in pieces:
                    yield piece
                    offset += len(piece)
                    if offset - marked >= MARK_BYTES:
                        marked = offset
                        yield Mark({"offset": offset, "validator": answer.validator, "size": answer.size})


def _offset(answer: Answer, mark: Mark | None, *, name: str) -> int:
    """Where to go on, in bytes. Raises SourceChanged when the mark is one of another version."""
    if mark is None:
        return 0
    if (mark.state["validator"], mark.state["size"]) != (answer.validator, answer.size):
        raise SourceChanged(name=name)
    return mark.state["offset"]


def _is_unsteady(build: Build) -> bool:
    """Whether an earlier attempt got another version as soon as it asked again: servers behind one address that
    disagree about it, or a page that is made anew for each request. Asked once, such an origin works."""
    return bool((build.checkpoint or {}).get("unsteady"))


def _digests(build: Build, answer: Answer) -> Mapping[str, bytes]:
    return answer.digests if build.params.verify else {}


def _origin(build: Build) -> Origin:
    params: FetchParams = build.params
    settings = build.settings
    total_s = min(settings.fetch_total_timeout_s, settings.attempt_timeout_s, params.timeout_s or math.inf)
    return Origin(
        params.url,
        headers=params.headers,
        rules=AddressRules(allow_private=settings.fetch_allow_private, networks=settings.fetch_networks),
        patience=Patience(each_s=settings.fetch_timeout_s, total_s=total_s),
    )


def _max_bytes(build: Build) -> int:
    return min(build.params.max_bytes or build.settings.fetch_max_bytes, build.settings.fetch_max_bytes)


def _is_web_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)


PREPARER = Preparer(
    name="fetch",
    params=FetchParams,
    prepare=prepare,
    description="A file from an HTTP origin, resumed after interruptions.",
)
