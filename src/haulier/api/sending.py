"""Sending an artefact from the store to a client, with ranges and conditions, in bounded memory."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Protocol, cast

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from haulier.api.conditions import (
    Representation,
    Span,
    http_date,
    is_not_modified,
    is_precondition_failed,
    requested_span,
)
from haulier.api.exchange import listening
from haulier.errors import (
    ArtefactExpired,
    ArtefactReplaced,
    AttemptError,
    SourceMissing,
    StorageUnavailable,
    Unavailable,
)
from haulier.job import Artefact
from haulier.storage import ObjectInfo, Storage
from haulier.storage.names import content_disposition, media_type


class SendArtefact:
    """ASGI application that answers one GET or HEAD. Raises HaulierErrors until the answer starts.

    Whoever answers RangeNotSatisfiable adds `Content-Range: bytes */{size}`, from the error's facts.
    """

    def __init__(self, artefact: Artefact, *, storage: Storage) -> None:
        self._artefact = artefact
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        artefact = self._artefact
        info = await self._storage.head(artefact.key)
        if info is None:
            raise ArtefactExpired
        headers = Headers(scope=scope)
        current = Representation(info.etag, info.last_modified, info.size)
        if is_precondition_failed(headers, current):
            await answer_bare(send, 412, {"cache-control": "private, no-store"})
        elif is_not_modified(headers, current):
            await answer_bare(send, 304, _validators(info))
        elif scope["method"] == "HEAD":
            await answer_bare(send, 200, _described(artefact, info) | {"content-length": str(info.size)})
        elif "range" in headers and "if-range" not in headers and info.etag != artefact.etag:
            raise ArtefactReplaced
        else:
            await self._send_bytes(artefact, info, requested_span(headers, current), receive, send)

    async def _send_bytes(
        self, artefact: Artefact, info: ObjectInfo, span: Span | None, receive: Receive, send: Send
    ) -> None:
        start, end = span or (0, info.size)
        headers = _described(artefact, info) | {"content-length": str(end - start)}
        if span is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{info.size}"
        async with self._opened(info, start, end) as (first, rest), listening(receive) as gone:
            await send(_start(206 if span is not None else 200, headers))
            chunk = first
            while chunk and not gone.done():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await anext(rest, b"")
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})

    @asynccontextmanager
    async def _opened(
        self, info: ObjectInfo, start: int, end: int
    ) -> AsyncGenerator[tuple[bytes, AsyncIterator[bytes]]]:
        """The first chunk and the others. What goes wrong up to the first can still be answered with an error."""
        async with aclosing(self._chunks(info, start, end)) as chunks:
            try:
                first = await anext(chunks, b"")
            except SourceMissing as error:
                raise ArtefactExpired from error
            except AttemptError as error:
                raise StorageUnavailable from error
            yield first, chunks

    async def _chunks(self, info: ObjectInfo, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes of the range. Opens it anew where it broke off: stores hang up on whoever reads slowly."""
        at = start
        while at < end:
            opened_at = at
            chunks = self._storage.read(info.key, start=at, end=end, etag=info.etag)
            try:
                async with aclosing(cast("_Closable", chunks)):
                    async for chunk in chunks:
                        yield chunk
                        at += len(chunk)
            except (AttemptError, Unavailable):
                if at == opened_at:
                    raise
            else:
                return


class _Closable(Protocol):
    async def aclose(self) -> None: ...


def _described(artefact: Artefact, info: ObjectInfo) -> dict[str, str]:
    headers = _validators(info) | {
        "accept-ranges": "bytes",
        "content-disposition": content_disposition(artefact.file_name),
        "content-type": media_type(artefact.content_type),
    }
    # An object published as it is may have been replaced since: its new bytes have another digest.
    if artefact.sha256 and artefact.etag == info.etag:
        digest = base64.b64encode(bytes.fromhex(artefact.sha256)).decode()
        headers["repr-digest"] = f"sha-256=:{digest}:"
    return headers


def _validators(info: ObjectInfo) -> dict[str, str]:
    return {
        "cache-control": "private, no-store",
        "etag": info.etag,
        "last-modified": http_date(info.last_modified),
    }


async def answer_bare(send: Send, status: int, headers: dict[str, str]) -> None:
    """An answer without a body."""
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, headers: dict[str, str]) -> dict[str, object]:
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}
