"""Downloading an artefact: resume, verify, publish."""

import base64
import binascii
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import msgspec
from msgspec import UNSET

from haulier.client.errors import ClientError, DownloadDamaged, DownloadFailed, UnexpectedAnswer
from haulier.client.sinks import BLOCK, Held, Sink
from haulier.client.transport import Transport, as_error, origin, reason, retry_after
from haulier.wire import JobStatus

Progress = Callable[[int, int | None], None]
_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d+)-(?P<last>\d+)/(?P<total>\d+)")
_REPR_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:(?P<value>[A-Za-z0-9+/=]+):")
# 403: the signed link ran out on the way; the next try gets a fresh one. 500: S3's InternalError is transient.
_TRY_AGAIN = frozenset({403, 408, 429, 500, 502, 503, 504})


class Downloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived, and where. `verified` is False when nobody told a SHA-256 and only the size could be compared."""

    size: int
    sha256: str
    verified: bool
    path: Path | None = None
    job: JobStatus | None = None


class Interrupted(Exception):
    """The bytes stopped early; `failure` is what to say when patience ends."""

    def __init__(self, failure: ClientError, *, retry_after_s: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.retry_after_s = retry_after_s


class Fetch:
    """Opens one artefact at an offset. Each opening asks the API, which redirects to a fresh link or sends the bytes.

    A link gets no token along with it.
    """

    def __init__(self, transport: Transport, path: str) -> None:
        self.transport = transport
        self._path = path

    @asynccontextmanager
    async def open(self, *, offset: int, etag: str, end: int | None = None) -> AsyncGenerator[httpx.Response]:
        """The answer with the bytes from `offset` on, or up to `end`, if they are still those of `etag`."""
        headers = {"Accept-Encoding": "identity"}
        if offset or end is not None:
            last = "" if end is None else end - 1
            headers |= {"Range": f"bytes={offset}-{last}", "If-Range": etag}
        first = await self._ask(headers)
        link = first.request.url
        try:
            if not first.has_redirect_location:
                async with aclosing(first):
                    yield first
                return
            await first.aclose()
            link = link.join(first.headers["Location"])
            async with self.transport.http.stream("GET", link, headers=headers, follow_redirects=True) as answer:
                yield answer
        except httpx.InvalidURL as error:
            raise UnexpectedAnswer(origin(self.transport.url), HTTPStatus.TEMPORARY_REDIRECT) from error
        except httpx.RequestError as error:
            failure = DownloadFailed(f"The download from {origin(str(link))} broke off: {reason(error)}.")
            raise Interrupted(failure) from error

    async def _ask(self, headers: dict[str, str]) -> httpx.Response:
        """What the API answers: a redirect, or the bytes, still to be read."""
        answer = await self.transport.request("GET", self._path, headers=headers, unread=True)
        if answer.has_redirect_location or answer.status_code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return answer
        await answer.aclose()
        raise UnexpectedAnswer(origin(self.transport.url), answer.status_code)


async def download_to(sink: Sink, fetch: Fetch, job: JobStatus, *, on_progress: Progress) -> Downloaded:
    """Bring the artefact of `job` into `sink` and commit it. Tries without any new byte are bounded, others not."""
    told = Held(
        size=None if job.file_size is UNSET else job.file_size, sha256=None if job.sha256 is UNSET else job.sha256
    )
    # A whole part is never asked about; without a digest nobody would see that it is of an older artefact.
    unchecked = sink.offset == _total(sink, told) and not (told.sha256 or sink.held.sha256)
    if sink.offset and (unchecked or not _agree(sink.held, told)):
        await sink.begin(Held())
    while True:
        resumed = sink.earlier
        await _complete(sink, fetch, told, on_progress)
        sha256 = told.sha256 or sink.held.sha256
        try:
            check("its SHA-256", await sink.digest(), sha256)
        except DownloadDamaged:
            await sink.discard()
            if resumed:  # the older bytes are suspect: once more, from the start
                continue
            raise
        downloaded = Downloaded(size=sink.offset, sha256=await sink.digest(), verified=sha256 is not None)
        on_progress(sink.offset, sink.offset)
        await sink.commit()
        return downloaded


async def _complete(sink: Sink, fetch: Fetch, told: Held, on_progress: Progress) -> None:
    """Fetch until `sink` has all bytes, through interruptions."""
    tries = 0
    while (total := _total(sink, told)) is None or sink.offset != total:
        before = sink.offset
        try:
            await _fetch_rest(sink, fetch, told, on_progress)
            total = _total(sink, told)
            if total is None or sink.offset == total:
                return
            if sink.offset > total:
                await sink.discard()
                raise DownloadDamaged(what="its size", got=sink.offset, expected=total)
            raise Interrupted(DownloadFailed(f"The download ended after {sink.offset} of {total} bytes."))
        except Interrupted as stop:
            tries = 1 if sink.offset > before else tries + 1
            await fetch.transport.pause(tries, stop.failure, retry_after_s=stop.retry_after_s)
        if not sink.held.etag:
            await sink.begin(Held())


async def _fetch_rest(sink: Sink, fetch: Fetch, told: Held, on_progress: Progress) -> None:
    async with fetch.open(offset=sink.offset, etag=sink.held.etag) as answer:
        if answer.status_code == HTTPStatus.OK:
            held = _held(answer, size=_length(answer))
            await sink.begin(held)
            check("its size", held.size, told.size)
        elif not await _continues(sink, answer):
            return
        buffer = bytearray()
        try:
            async for piece in answer.aiter_raw():
                buffer += piece
                on_progress(sink.offset + len(buffer), _total(sink, told))
                if len(buffer) >= BLOCK:
                    full, buffer = bytes(buffer), bytearray()
                    await sink.write(full)
        finally:
            if buffer:
                await sink.write(bytes(buffer))


async def _continues(sink: Sink, answer: httpx.Response) -> bool:
    """Whether `answer` continues the bytes in `sink`; where they cannot be continued, they are dropped."""
    if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
        sent = range_of(answer, etag=sink.held.etag)
        if sent and sent.start == sink.offset and sink.held.size in (None, sent.total):
            return True
    if sink.offset and answer.status_code in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        failure = await _said(answer)
        await sink.begin(Held())
        raise Interrupted(failure)
    raise await refusal(answer)


class Range(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` (exclusive) of `total`."""

    start: int
    end: int
    total: int


def range_of(answer: httpx.Response, *, etag: str) -> Range | None:
    """The range that a 206 sends; None when it says none, or is of another artefact (S3 ignores If-Range)."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if not match or answer.headers.get("ETag", etag) != etag:
        return None
    return Range(int(match["start"]), int(match["last"]) + 1, int(match["total"]))


async def refusal(answer: httpx.Response) -> Exception:
    """What to raise: Interrupted for what may pass, what the store says for what will not."""
    failure = await _said(answer)
    if answer.status_code in _TRY_AGAIN:
        return Interrupted(failure, retry_after_s=retry_after(answer))
    return failure


async def _said(answer: httpx.Response) -> ClientError:
    """What the store says, in its own words where it is the API's folder store."""
    if answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        await answer.aread()
        return as_error(answer)
    return DownloadFailed(f"{origin(str(answer.request.url))} answered {answer.status_code}.")


def _held(answer: httpx.Response, *, size: int | None) -> Held:
    etag = answer.headers.get("ETag", "")
    return Held(etag=etag if etag.startswith('"') else "", size=size, sha256=_repr_digest(answer))


def _total(sink: Sink, told: Held) -> int | None:
    return sink.held.size if told.size is None else told.size


def _length(answer: httpx.Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _repr_digest(answer: httpx.Response) -> str | None:
    match = _REPR_DIGEST.search(answer.headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(match["value"], validate=True).hex() if match else None
    except binascii.Error:
        return None


def _agree(held: Held, told: Held) -> bool:
    pairs = ((held.size, told.size), (held.sha256, told.sha256))
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def check(what: str, got: object, expected: object) -> None:
    if got is not None and expected is not None and got != expected:
        raise DownloadDamaged(what=what, got=got, expected=expected)
