"""Serving artefacts of a folder or memory store: GET and HEAD of signed links, with ranges and conditions."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Protocol, cast
from urllib.parse import parse_qsl
from uuid import UUID

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
from haulier.errors import (
    ArtefactExpired,
    AttemptError,
    BadSignature,
    MethodNotAllowed,
    SourceMissing,
    StorageUnavailable,
)
from haulier.job import Artefact
from haulier.storage import ObjectInfo, Storage
from haulier.storage.names import content_disposition, media_type
from haulier.storage.signing import FolderSigner

PATH = "/files/{job_id}/{file_name}"


class FindArtefact(Protocol):
    async def __call__(self, job_id: UUID, /) -> tuple[Artefact, bool] | None:
        """A completed job's artefact and whether it has expired; None when there is no such job or artefact."""
        ...


class ServeFile:
    """ASGI endpoint of PATH. Raises HaulierErrors until the answer starts; the link is all the authority it asks for.

    Whoever answers RangeNotSatisfiable adds `Content-Range: bytes */{size}`, from the error's facts.
    """

    def __init__(self, *, find: FindArtefact, storage: Storage, signer: FolderSigner) -> None:
        self._find = find
        self._storage = storage
        self._signer = signer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed(allowed="GET, HEAD")
        try:
            artefact = await self._admit(scope)
        except _Ended as ended:
            handle = self._signer.handle_of(str(ended.job_id))
            await _answer(send, 307, {"location": handle, "cache-control": "private, no-store"})
            return
        info = await self._storage.head(artefact.key)
        if info is None:
            raise ArtefactExpired
        headers = Headers(scope=scope)
        current = Representation(info.etag, info.last_modified, info.size)
        if is_precondition_failed(headers, current):
            await _answer(send, 412, {"cache-control": "private, no-store"})
        elif is_not_modified(headers, current):
            await _answer(send, 304, _validators(info))
        elif scope["method"] == "HEAD":
            await _answer(send, 200, _described(artefact, info) | {"content-length": str(info.size)})
        else:
            await self._send_bytes(artefact, info, requested_span(headers, current), receive, send)

    async def _admit(self, scope: Scope) -> Artefact:
        """The artefact of a link that we signed. An unknown job looks like a wrong signature."""
        job_id, expires, signature = _link(scope)
        found = await self._find(job_id)
        if found is None:
            raise BadSignature
        artefact, expired = found
        link = {"job_id": str(job_id), "expires": expires, "signature": signature}
        # Links end with their artefact at the latest; who has one shall learn that a fresh link does not help.
        if expired and self._signer.is_ours(artefact, **link):
            raise ArtefactExpired
        try:
            self._signer.check(artefact, **link)
        except BadSignature:
            # aria2c asks for later pieces where it was led once, and brings its token: the handle judges that.
            if "authorization" in Headers(scope=scope) and self._signer.is_ours(artefact, **link):
                raise _Ended(job_id) from None
            raise
        return artefact

    async def _send_bytes(
        self, artefact: Artefact, info: ObjectInfo, span: Span | None, receive: Receive, send: Send
    ) -> None:
        start, end = span or (0, info.size)
        headers = _described(artefact, info) | {"content-length": str(end - start)}
        if span is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{info.size}"
        async with self._opened(info, start, end) as (first, rest), _listening(receive) as gone:
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
        chunks = self._storage.read(info.key, start=start, end=end, etag=info.etag)
        async with aclosing(cast("_Closable", chunks)):
            try:
                first = await anext(chunks, b"")
            except SourceMissing as error:
                raise ArtefactExpired from error
            except AttemptError as error:
                raise StorageUnavailable from error
            yield first, chunks


class _Ended(Exception):
    """A link of ours that has expired, in the hands of a client that can get a fresh one."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__()
        self.job_id = job_id


class _Closable(Protocol):
    async def aclose(self) -> None: ...


@asynccontextmanager
async def _listening(receive: Receive) -> AsyncGenerator["asyncio.Task[None]"]:
    """A task that is done once the client has gone: servers take what is sent to nobody without a word."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = asyncio.create_task(until_gone())
    try:
        yield listener
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


def _link(scope: Scope) -> tuple[UUID, str, str]:
    """(job, expires, signature) of the request, each given exactly once."""
    try:
        job_id = UUID(scope["path_params"]["job_id"])
        pairs = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise BadSignature from None
    expires = [value for name, value in pairs if name == "expires"]
    signature = [value for name, value in pairs if name == "signature"]
    if len(expires) != 1 or len(signature) != 1:
        raise BadSignature
    return job_id, expires[0], signature[0]


def _described(artefact: Artefact, info: ObjectInfo) -> dict[str, str]:
    headers = _validators(info) | {
        "accept-ranges": "bytes",
        "content-disposition": content_disposition(artefact.file_name),
        "content-type": media_type(artefact.content_type),
        "x-content-type-options": "nosniff",
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


async def _answer(send: Send, status: int, headers: dict[str, str]) -> None:
    """An answer without a body."""
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, headers: dict[str, str]) -> dict[str, object]:
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}
