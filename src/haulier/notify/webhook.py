"""Webhooks: one signed POST, as Standard Webhooks says, to an address that was checked just before."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec

from haulier.addresses import unconnected
from haulier.channel_rules import channel_rules
from haulier.clock import Clock
from haulier.destinations.webhook_keys import WebhookSecret, signatures
from haulier.destinations.webhook_url import refusal
from haulier.errors import SourceRefused
from haulier.notify.answers import let_go, wait_asked_for
from haulier.notify.message import message_of
from haulier.notify.port import Delivered, GiveUp, Notice, TryAgain, Verdict, unwatched
from haulier.notify.posting import TIMEOUT_S, checked_transport, not_allowed, post
from haulier.settings import Settings

_GONE = 410


class WebhookSender:
    """Posts messages. No connection, cookie or redirect leads from one receiver to another."""

    repeatable = True
    room = 64

    def __init__(self, transport: httpx.AsyncBaseTransport, *, settings: Settings, clock: Clock) -> None:
        self._transport = transport
        self._settings = settings
        self._rules = channel_rules(settings)
        self._clock = clock

    async def send(self, notice: Notice, /, *, begun: Callable[[], None] = unwatched) -> Verdict:
        """One POST: its status within TIMEOUT_S counts, whatever becomes of the rest of the answer."""
        secret = msgspec.convert(notice.secret, WebhookSecret)
        if (problem := refusal(secret.url, rules=self._rules)) is not None:
            return TryAgain(f"its URL {problem}")
        begun()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                # Without a client in between: it would follow, authenticate, and keep cookies.
                response = await self._transport.handle_async_request(self._request(notice, secret))
        except (TimeoutError, httpx.TimeoutException):
            return TryAgain(f"no answer within {TIMEOUT_S:g} s")
        except SourceRefused as error:
            return TryAgain(not_allowed(error))
        except httpx.ConnectError as error:
            return TryAgain(unconnected(error))
        except (httpx.TransportError, httpx.InvalidURL, ValueError):
            return TryAgain("its answer is not valid HTTP")
        await let_go(response)
        return self._verdict(response)

    def _request(self, notice: Notice, secret: WebhookSecret) -> httpx.Request:
        now = self._clock.now()
        body = message_of(notice, settings=self._settings)
        message_id = f"msg_{notice.id}"
        return post(
            secret.url,
            body=body,
            headers={
                "content-type": "application/json",
                "accept-encoding": "identity",
                "webhook-id": message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signatures(secret.keys, message_id=message_id, at=now, body=body),
            },
        )

    def _verdict(self, response: httpx.Response) -> Verdict:
        status = response.status_code
        if 200 <= status < 300:
            return Delivered(status)
        if status == _GONE:
            return GiveUp("it answered 410: nothing is wanted there any more", status, disable=True)
        if 300 <= status < 400:
            return TryAgain(f"it answered {status}: redirects are not followed", status)
        return TryAgain(f"it answered {status}", status, after_s=wait_asked_for(response, clock=self._clock))


@asynccontextmanager
async def open_webhooks(settings: Settings, *, clock: Clock) -> AsyncGenerator[WebhookSender]:
    """A sender with its connections."""
    async with checked_transport(settings) as transport:
        yield WebhookSender(transport, settings=settings, clock=clock)
