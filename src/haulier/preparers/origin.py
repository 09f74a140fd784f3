"""Asking an HTTP origin: requests under the address rules, redirects checked again, answers turned into our errors."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx
import msgspec

from haulier.addresses import AddressRules, CheckedTransport, unconnected
from haulier.errors import SourceDenied, SourceMissing, SourceRefused, SourceUnavailable
from haulier.preparers.headers import retry_after_s

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MISSING = frozenset({404, 410})
_DENIED = frozenset({401, 403, 407, 451})
# Also when a rule's headers name them: these belong to the transfer, not to the rule.
RESERVED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "if-range",
        "range",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


def display_name(url: httpx.URL) -> str:
    """The URL as users may see it: host and path, without credentials and query."""
    return url.host + url.raw_path.decode("ascii").partition("?")[0]


def input_name(text: str) -> str:
    """The URL as a receipt names it: its display name with the port, and a digest in place of the query, which may
    hold a secret and tells two files apart."""
    url = httpx.URL(text)
    name = url.netloc.decode("ascii") + url.raw_path.decode("ascii").partition("?")[0]
    return f"{name}?{hashlib.sha256(url.query).hexdigest()[:16]}" if url.query else name


class Patience(msgspec.Struct, frozen=True):
    """How long to wait, in seconds: for an answer or the next bytes, and for all of a transfer."""

    each_s: float
    total_s: float


class Origin:
    """One URL and how to ask it. A context manager: it owns its connections. Its time runs from its making."""

    def __init__(self, url: str, *, headers: Mapping[str, str], rules: AddressRules, patience: Patience) -> None:
        self._url = httpx.URL(url)
        self._headers = dict(headers)
        self.patience = patience
        self._deadline_s = asyncio.get_running_loop().time() + patience.total_s
        self.name = display_name(self._url)
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(rules=rules, timeout_s=patience.each_s),
            timeout=patience.each_s,
            trust_env=False,
            follow_redirects=False,
        )

    async def __aenter__(self) -> "Origin":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def get(self, *, start: int = 0, if_range: str | None = None) -> AsyncGenerator[httpx.Response, None]:
        """The answer with its body unread; status 200, 206 or one that says that the range does not fit (412, 416).

        Raises SourceMissing, SourceDenied and SourceRefused for good, SourceUnavailable for now.
        """
        ranged = {"range": f"bytes={start}-", "if-range": if_range} if start and if_range else {}
        async with self._in_time():
            response = await self._followed({"accept-encoding": "identity", **ranged})
        try:
            self._check(response)
            yield response
        finally:
            await response.aclose()

    async def read(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body as it is sent, in pieces of at most 64 KiB. Raises SourceUnavailable when the transfer's time is
        over, httpx.TransportError when the connection breaks or waits too long."""
        pieces = response.aiter_raw()
        assert isinstance(pieces, AsyncGenerator)
        async with aclosing(pieces):
            while True:
                async with self._in_time():
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece

    async def pause(self, seconds: float) -> None:
        """Wait before asking again. Raises SourceUnavailable when the transfer's time is over."""
        async with self._in_time():
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None, None]:
        # around single waits: a deadline around a `yield` would interrupt whoever reads from us
        try:
            async with asyncio.timeout_at(self._deadline_s):
                yield
        except TimeoutError as error:
            reason = f"it took longer than {self.patience.total_s:g} s"
            raise SourceUnavailable(name=self.name, reason=reason) from error

    async def _followed(self, ours: Mapping[str, str]) -> httpx.Response:
        """The first answer that is no redirect."""
        url, headers = self._url, self._headers
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._sent(url, {**headers, **ours})
            if response.status_code not in _REDIRECTS:
                return response
            await response.aclose()
            before, url = url, self._target(response)
            if (before.scheme, before.host, before.port) != (url.scheme, url.host, url.port):
                headers = {}  # they may carry credentials, and these were meant for the other host
        raise SourceRefused(name=self.name, reason=f"it redirects more than {MAX_REDIRECTS} times")

    async def _sent(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        request = self._client.build_request("GET", url, headers=headers)
        try:
            return await self._client.send(request, stream=True, auth=None)
        except httpx.TimeoutException as error:
            raise SourceUnavailable(name=self.name, reason=f"no answer within {self.patience.each_s:g} s") from error
        except httpx.ConnectError as error:
            raise SourceUnavailable(name=self.name, reason=unconnected(error)) from error
        except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
            # the latter two from a Location, into which httpx looks
            raise SourceUnavailable(name=self.name, reason="its answer is not valid HTTP") from error

    def _target(self, response: httpx.Response) -> httpx.URL:
        try:
            target = response.url.join(response.headers["location"])
            host = target.host  # decodes international names
        except (KeyError, httpx.InvalidURL, ValueError) as error:
            raise SourceUnavailable(name=self.name, reason="it redirects to nowhere") from error
        if target.scheme not in {"http", "https"} or not host:
            raise SourceRefused(name=self.name, reason="it redirects to something other than http or https")
        if response.url.scheme == "https" and target.scheme == "http":
            raise SourceRefused(name=self.name, reason="it redirects from https to http")
        return target

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in {200, 206, 412, 416}:
            return
        if status in _MISSING:
            raise SourceMissing(name=self.name)
        if status in _DENIED:
            raise SourceDenied(name=self.name)
        raise SourceUnavailable(name=self.name, reason=f"it answered {status}", retry_after_s=retry_after_s(response))
