"""One request to the API: token, retries, and errors as exceptions."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from haulier.client.arguments import api_address, bearer
from haulier.client.errors import ApiError, ClientError, UnexpectedAnswer, Unreachable
from haulier.client.patience import Patience
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.wire import Problem

Sleep = Callable[[float], Awaitable[None]]
Token = str | Callable[[], str]
Shape = TypeVar("Shape")

API = "/v1/download"
TRANSIENT = frozenset({429, 502, 503, 504})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REFUSED = frozenset({429, 503})
LONGEST_S = 1e9  # of a Retry-After: what is longer is as good as never


class Transport:
    """Sends requests to one API. The token goes to this API's address only, never along a redirect."""

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        patience: Patience,
        sleep: Sleep = asyncio.sleep,
        rng: Random,
        timeout_s: float,
        on_wait: Callable[[str, float], None],
    ) -> None:
        try:
            self.url = api_address(url)
        except ValueError as error:
            raise ValueError(f"url {error}") from None
        if not (isinstance(token, str) or callable(token)):
            raise TypeError("token is text, or a function that makes it")
        self.patience = patience
        self.timeout_s = timeout_s
        self.http = httpx.AsyncClient(timeout=timeout_s, headers={"User-Agent": "haulier-client"})
        self._token = token
        self._sleep = sleep
        self._rng = rng
        self._on_wait = on_wait
        self._seen = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        timeout_s: float | None = None,
        once: bool = False,
        secured: bool = True,
        unread: bool = False,
    ) -> httpx.Response:
        """The answer below 400, redirects not followed. Raises ApiError, Unreachable, UnexpectedAnswer, BadToken.

        Tried again on connection errors, 429, 502, 503 and 504. With `repeatable` False only when the API cannot have
        acted on it: nothing was sent, or it said 429 or 503. With `once` only when it says when. The token is sent
        unless `secured` is False. With `unread` the caller reads the body, and closes the answer.
        """
        content = None if json is None else msgspec.json.encode(json)
        sent = dict(headers or {}) | ({} if content is None else {"Content-Type": "application/json"})
        sent["Accept"] = "application/json"
        tries = 0
        while True:
            tries += 1
            try:
                request = self.http.build_request(
                    method,
                    self.url + path,
                    content=content,
                    params=params,
                    headers=sent | ({"Authorization": f"Bearer {self._bearer()}"} if secured else {}),
                    timeout=timeout_s or self.timeout_s,
                )
                answer = await self.http.send(request, stream=True)
                if not unread or answer.status_code >= 400:
                    await _read(answer)
            except httpx.TransportError as error:
                failure: ClientError = Unreachable(origin(self.url), reason(error))
                unsendable = isinstance(error, httpx.LocalProtocolError)
                retry_after_s, again = None, not unsendable and (repeatable or isinstance(error, _NOT_SENT))
            else:
                self._seen = True
                if answer.status_code < 400:
                    return answer
                failure, retry_after_s = as_error(answer), retry_after(answer)
                again = answer.status_code in (TRANSIENT if repeatable else _REFUSED)
            if not again or (once and retry_after_s is None):
                raise failure
            await self.pause(tries, failure, retry_after_s=retry_after_s)

    @asynccontextmanager
    async def stream(
        self, path: str, *, headers: Mapping[str, str], params: Mapping[str, str], first_s: float, idle_s: float
    ) -> AsyncGenerator[httpx.Response]:
        """An answer to be read as it comes: its head within `first_s`, then never more than `idle_s` without a byte.

        One try. Raises ApiError, UnexpectedAnswer, BadToken, and Unreachable also when it breaks while it is read.
        """
        request = self.http.build_request(
            "GET",
            self.url + path,
            params=params or None,
            headers={**headers, "Authorization": f"Bearer {self._bearer()}"},
            timeout=httpx.Timeout(first_s, read=idle_s),
        )
        try:
            async with asyncio.timeout(first_s):
                answer = await self.http.send(request, stream=True)
            self._seen = True
            async with aclosing(answer):
                if answer.status_code >= 400:
                    await _read(answer)
                    raise as_error(answer)
                yield answer
        except httpx.DecodingError as error:
            raise UnexpectedAnswer(origin(self.url), HTTPStatus.OK) from error
        except (httpx.TransportError, TimeoutError) as error:
            words = reason(error) if isinstance(error, httpx.TransportError) else "timed out"
            raise Unreachable(origin(self.url), words) from error

    async def pause(self, tries: int, failure: ClientError, *, retry_after_s: float | None = None) -> None:
        """Wait before the next try, or raise `failure` when patience ends."""
        wait_s = self.patience.wait_s(tries, rng=self._rng, retry_after_s=retry_after_s)
        if wait_s is None or (not self._seen and tries >= self.patience.tries_unseen):
            raise failure
        self._on_wait(str(failure), wait_s)
        await self._sleep(wait_s)

    async def sleep(self, seconds: float, *, spread: bool = False) -> None:
        """Wait; with `spread` half to one and a half times as long, so that many do not come back at once."""
        await self._sleep(seconds * self._rng.uniform(0.5, 1.5) if spread else seconds)

    async def aclose(self) -> None:
        await self.http.aclose()

    def _bearer(self) -> str:
        return bearer(self._token if isinstance(self._token, str) else self._token())


async def _read(answer: httpx.Response) -> None:
    try:
        await answer.aread()
    except httpx.DecodingError as error:
        raise UnexpectedAnswer(origin(str(answer.request.url)), answer.status_code) from error
    finally:
        await answer.aclose()


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def read(answer: httpx.Response, shape: type[Shape]) -> Shape:
    """The body as `shape`; unknown fields are ignored, so that an older client reads a newer API."""
    return decoded(answer.content, shape, url=str(answer.request.url), status=answer.status_code)


def decoded(content: bytes | str, shape: type[Shape], *, url: str, status: int = HTTPStatus.OK) -> Shape:
    """JSON of an answer with `status` from `url`. Raises UnexpectedAnswer for what is none of that shape."""
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnexpectedAnswer(origin(url), status) from None


def as_error(answer: httpx.Response) -> ClientError:
    """The problem that an answer of 400 or above states."""
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UnexpectedAnswer(origin(str(answer.request.url)), answer.status_code)
    return ApiError(problem, retry_after_s=retry_after(answer))


def retry_after(answer: httpx.Response, *, clock: Clock = SYSTEM_CLOCK) -> float | None:
    """Seconds of Retry-After; None without one. Our API sends seconds, some proxies a date (RFC 9110 allows both).

    A date counts from the answer's own Date, whose clock it is of, and without one from our clock.
    """
    text = answer.headers.get("Retry-After", "")
    if text.isdecimal():
        return min(float(text), LONGEST_S)
    until = _date(text)
    if until is None:
        return None
    return max(0.0, (until - (_date(answer.headers.get("Date", "")) or clock.now())).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def origin(url: str) -> str:
    """Scheme, host and port: what may be shown of any URL, also a signed one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def reason(error: httpx.RequestError) -> str:
    """A transport error in a few words of ours; those of httpx are of its insides, or repeat what was to be sent."""
    if isinstance(error, httpx.LocalProtocolError):
        return "the request cannot be sent as it is"
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    return _unconnected(error) if isinstance(error, httpx.ConnectError) else "the connection broke"


_UNCONNECTED: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not valid"),
    (ssl.SSLError, "no TLS is spoken there"),
    (socket.gaierror, "its host has no address"),
    (ConnectionRefusedError, "nothing listens there"),
)


def _unconnected(error: BaseException) -> str:
    """What lies at the root of it."""
    root: BaseException | None = error
    while root is not None:
        for kind, words in _UNCONNECTED:
            if isinstance(root, kind):
                return words
        root = root.__cause__ or root.__context__
    return "no connection"
