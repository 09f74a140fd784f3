"""Asking an HTTP origin: requests under the address rules, redirects checked again, answers turned into our errors."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import httpx

from haulier.errors import SourceDenied, SourceMissing, SourceRefused, SourceUnavailable
from haulier.preparers.addresses import CheckedTransport
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


class Origin:
    """One URL and how to ask it. A context manager: it owns its connections."""

    def __init__(self, url: str, *, headers: Mapping[str, str], allow_private: bool, timeout_s: float) -> None:
        self._url = httpx.URL(url)
        self._headers = dict(headers)
        self._timeout_s = timeout_s
        self.name = display_name(self._url)
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(allow_private=allow_private, timeout_s=timeout_s),
            timeout=timeout_s,
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
        response = await self._followed({"accept-encoding": "identity", **ranged})
        try:
            self._check(response)
            yield response
        finally:
            await response.aclose()

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
            raise SourceUnavailable(name=self.name, reason=f"no answer within {self._timeout_s:g} s") from error
        except httpx.ConnectError as error:
            raise SourceUnavailable(name=self.name, reason="no connection") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:  # the latter from a Location that httpx looks into
            raise SourceUnavailable(name=self.name, reason="its answer is not valid HTTP") from error

    def _target(self, response: httpx.Response) -> httpx.URL:
        try:
            target = response.url.join(response.headers["location"])
        except (KeyError, httpx.InvalidURL, ValueError) as error:
            raise SourceUnavailable(name=self.name, reason="it redirects to nowhere") from error
        if target.scheme not in {"http", "https"} or not target.host:
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
