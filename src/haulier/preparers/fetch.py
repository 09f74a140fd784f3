"""`fetch`: the file comes from an HTTP origin, byte for byte as it is there, resumed when the connection breaks.

An interruption is followed by at most RESUMES more requests for the rest (`Range` with `If-Range`), so that bytes of
two versions are never mixed. An origin without ranges or a strong validator ends the attempt with a transient error.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import httpx
import msgspec
from msgspec import Meta, field

from haulier.errors import AttemptError, SourceChanged, SourceTooLarge, SourceTruncated, SourceUnavailable
from haulier.preparers.headers import content_length, content_range, content_type, file_name, validator
from haulier.preparers.origin import RESERVED_HEADERS, Origin
from haulier.preparers.port import Build, Preparer, Result, Stream
from haulier.preparers.streams import closing, joined, primed

RESUMES = 5
FIRST_PAUSE_S = 0.1  # doubled from one resume to the next: 0.1 to 1.6 s


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

    def __post_init__(self) -> None:
        if not _is_web_address(self.url):
            raise ValueError("`url` must be an http:// or https:// address")
        for name, value in self.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or name.lower() in RESERVED_HEADERS:
                raise ValueError(f"`headers` must not hold {name!r}")
            if not re.fullmatch(r"[\t\x20-\x7e]*", value):
                raise ValueError(f"the value of the header {name!r} must be printable ASCII")


async def prepare(build: Build) -> Result:
    """The origin's file as a stream; the first answer has arrived when this returns.

    Raises SourceMissing, SourceDenied, SourceRefused, SourceTooLarge for good; SourceUnavailable, SourceChanged and
    SourceTruncated for now. The same can come out of the stream.
    """
    download = Download(build, build.params)
    chunks = await primed(download.chunks())
    return Stream(
        file_name=build.file_name or download.file_name,
        content_type=download.content_type,
        size=download.total,
        chunks=chunks,
    )


class Download:
    """One file on its way. `done` bytes have come; `total`, `file_name` and `content_type` as the origin told."""

    def __init__(self, build: Build, params: FetchParams) -> None:
        settings = build.settings
        self._report = build.report
        self._limit = min(params.max_bytes or settings.fetch_max_bytes, settings.fetch_max_bytes)
        self._timeout_s = settings.fetch_timeout_s
        self._origin = Origin(
            params.url,
            headers=params.headers,
            allow_private=settings.fetch_allow_private,
            timeout_s=settings.fetch_timeout_s,
        )
        self._validator: str | None = None
        self._interruption: AttemptError | None = None
        self.done = 0
        self.total: int | None = None
        self.file_name = ""
        self.content_type = ""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """An empty chunk once the origin has answered, then its bytes."""
        self._report(done=0, stage="fetching")
        async with self._origin, aclosing(self._transfer()) as transfer:
            yield await anext(transfer)
            async with aclosing(joined(transfer)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _transfer(self) -> AsyncGenerator[bytes, None]:
        async with self._origin.get() as response:
            self._learn(response)
            yield b""
            async with aclosing(self._body(response)) as body:
                async for chunk in body:
                    yield chunk
        for resume in range(RESUMES):
            if self._interruption is None:
                return
            await asyncio.sleep(FIRST_PAUSE_S * 2**resume)
            async with aclosing(self._rest()) as rest:
                async for chunk in rest:
                    yield chunk
        if self._interruption is not None:
            raise self._interruption

    async def _rest(self) -> AsyncGenerator[bytes, None]:
        """What is missing still, as far as it comes."""
        if self._interruption is not None and self.done and self._validator is None:
            raise self._interruption
        try:
            async with self._origin.get(start=self.done, if_range=self._validator) as response:
                self._compare(response)
                async with aclosing(self._body(response)) as body:
                    async for chunk in body:
                        yield chunk
        except SourceUnavailable as error:
            self._interruption = error

    async def _body(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body's bytes; a connection that breaks ends them and leaves the reason in `_interruption`."""
        self._interruption = None
        try:
            async with closing(response.aiter_raw()) as body:
                async for chunk in body:
                    self._count(len(chunk))
                    yield chunk
        except httpx.TimeoutException:
            self._interruption = self._unavailable(f"no more bytes within {self._timeout_s:g} s")
            return
        except httpx.TransportError:
            self._interruption = self._unavailable("the connection broke")
        if self.total is not None and self.done < self.total:
            self._interruption = SourceTruncated(name=self._origin.name, got=self.done, expected=self.total)

    def _learn(self, response: httpx.Response) -> None:
        """Keep what the first answer says about the file."""
        if response.status_code != 200:
            raise self._unavailable(f"it answered {response.status_code}")
        self.total = content_length(response)
        if self.total is not None and self.total > self._limit:
            raise SourceTooLarge(name=self._origin.name, limit_bytes=self._limit)
        self._validator = None if response.headers.get("accept-ranges") == "none" else validator(response)
        self.file_name = file_name(response)
        self.content_type = content_type(response)

    def _compare(self, response: httpx.Response) -> None:
        """Raise SourceChanged unless the answer goes on exactly where the bytes so far ended, in the same version."""
        if response.status_code == 200 and self.done == 0 and content_length(response) == self.total:
            self._validator = validator(response)
            return
        part = content_range(response) if response.status_code == 206 else None
        if part is None or part.start != self.done or not self._is_same_version(response):
            raise SourceChanged(name=self._origin.name)
        if self.total is None:
            self.total = part.total
        if part.total not in {None, self.total}:
            raise SourceChanged(name=self._origin.name)

    def _is_same_version(self, response: httpx.Response) -> bool:
        """Whether an answer to `If-Range` does not contradict it; it may leave the validator out."""
        header = "etag" if (self._validator or "").startswith('"') else "last-modified"
        return response.headers.get(header) in {None, self._validator}

    def _count(self, size: int) -> None:
        self.done += size
        if self.done > self._limit:
            raise SourceTooLarge(name=self._origin.name, limit_bytes=self._limit)
        if self.total is not None and self.done > self.total:
            raise SourceChanged(name=self._origin.name)
        self._report(done=self.done, total=self.total, stage="fetching")

    def _unavailable(self, reason: str) -> SourceUnavailable:
        return SourceUnavailable(name=self._origin.name, reason=reason)


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
