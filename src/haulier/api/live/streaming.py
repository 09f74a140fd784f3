"""A server-sent event stream (HTML Living Standard, section 9.2) as an ASGI application: heartbeats and ends.

What it tells is up to a `Teller`; this module knows how to keep a connection alive and how to end it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from haulier.api.auth import Caller
from haulier.api.exchange import listening
from haulier.api.live.endings import SLOW_S, Ending, ending_of
from haulier.api.protocol import abort_of
from haulier.api.services import Services
from haulier.live import Feed
from haulier.observe.events import STREAM_TOO_SLOW
from haulier.wire_live import StreamEnd

log = structlog.get_logger()

RETRY_MS = 2_000
HEARTBEAT_S = 15.0  # below the idle limit of any proxy: some cut at 30 s

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"private, no-store"),
    (b"x-accel-buffering", b"no"),  # nginx passes each event on at once
]
_BEGIN = b"retry: %d\n\n" % RETRY_MS
_HEARTBEAT = b": \n\n"


class Teller(Protocol):
    """What a stream tells."""

    def begin(self, feed: Feed) -> AsyncGenerator[bytes]:
        """Follow what is to be followed, and tell how it stands."""
        ...

    def tell(self, feed: Feed, *, timeout_s: float) -> AsyncGenerator[bytes]:
        """What has changed, waiting up to `timeout_s` for it; nothing when nothing did."""
        ...

    @property
    def over(self) -> bool:
        """Whether all has been told."""
        ...


def event(body: bytes, *, name: bytes, id_: str = "") -> bytes:
    """One event; `body` is one line, as JSON is."""
    return b"%bevent: %b\ndata: %b\n\n" % (b"id: %b\n" % id_.encode() if id_ else b"", name, body)


class EventStream:
    """Answers with what `teller` tells until it is over, the token expires, the process stops or the client goes.

    Raises TooManyStreams or Unavailable before the answer starts.
    """

    def __init__(self, teller: Teller, *, caller: Caller, services: Services) -> None:
        self._teller = teller
        self._caller = caller
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self._caller
        with self._services.feeds.open(user_id=caller.user_id, unlimited=caller.is_admin) as feed:
            async with listening(receive) as gone, aclosing(self._messages(feed)) as messages:
                gone.add_done_callback(lambda _: feed.close())
                first = await anext(messages)  # what goes wrong up to here can still be answered with an error
                await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
                if scope["method"] == "HEAD":
                    await send({"type": "http.response.body", "body": b""})
                    return
                try:
                    await _send(send, first)
                    async for message in messages:
                        await _send(send, message)
                    await _send(send, b"", more=False)
                except TimeoutError:
                    log.info(STREAM_TOO_SLOW, kind="sse")
                    abort_of(scope)()

    def _ending(self, feed: Feed) -> Ending | None:
        return ending_of(feed, left_s=self._caller.left_s(now=self._services.clock.now()))

    async def _messages(self, feed: Feed) -> AsyncGenerator[bytes]:
        clock, teller = self._services.clock, self._teller
        begun = _BEGIN
        async with aclosing(teller.begin(feed)) as told:
            async for message in told:
                begun += message
                if self._ending(feed):
                    break
        yield begun
        told_at = clock.monotonic()
        while not teller.over:
            if end := self._ending(feed):
                yield event(msgspec.json.encode(StreamEnd(end.code, end.sentence)), name=b"end")
                return
            quiet_s = clock.monotonic() - told_at
            timeout_s = max(min(HEARTBEAT_S - quiet_s, self._caller.left_s(now=clock.now())), 0)
            async with aclosing(teller.tell(feed, timeout_s=timeout_s)) as told:
                async for message in told:
                    yield message
                    told_at = clock.monotonic()
                    if self._ending(feed):  # a slow reader may take long over what changed at once
                        break
            if clock.monotonic() - told_at >= HEARTBEAT_S:
                yield _HEARTBEAT
                told_at = clock.monotonic()


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    """Raises TimeoutError when the client takes nothing for SLOW_S."""
    async with asyncio.timeout(SLOW_S):
        await send({"type": "http.response.body", "body": body, "more_body": more})
