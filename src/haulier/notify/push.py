"""Browser push: one encrypted message (RFC 8291) to the browser's push service (RFC 8030), signed by us (RFC 8292)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from haulier.channel_rules import channel_rules
from haulier.clock import Clock
from haulier.destinations.vapid_keys import AUTH_BYTES, POINT_BYTES, base64url_bytes, vapid_key
from haulier.destinations.webhook_url import refusal
from haulier.errors import SourceRefused
from haulier.notify import wording
from haulier.notify.answers import let_go, wait_asked_for
from haulier.notify.port import Delivered, GiveUp, Notice, TryAgain, Verdict, unwatched
from haulier.notify.posting import TIMEOUT_S, checked_transport, not_allowed, post
from haulier.settings import Settings

TTL_S = 86_400  # how long the push service keeps it for a browser that is off
TOKEN_S = 12 * 3_600  # at most 24 hours, RFC 8292
_GONE = frozenset({404, 410})
_UNAUTHORISED = 401


class PushMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the page's service worker gets. A notification with the same `tag` takes the place of the one before."""

    title: str
    body: str
    tag: str
    lang: str
    url: str | None = None


class Subscription(msgspec.Struct, frozen=True):
    """What the channel keeps: the browser's address at its push service, and the keys that only the browser opens."""

    endpoint: str
    p256dh: str
    auth: str


class PushSender:
    """Sends pushes, each once. Nothing of them can be read by the push service."""

    repeatable = False
    room = 32

    def __init__(self, transport: httpx.AsyncBaseTransport, *, settings: Settings, clock: Clock) -> None:
        from py_vapid import Vapid02

        self._transport = transport
        self._settings = settings
        self._rules = channel_rules(settings)
        self._vapid = Vapid02(private_key=vapid_key(settings.vapid_key.reveal()))
        self._clock = clock

    async def send(self, notice: Notice, /, *, begun: Callable[[], None] = unwatched) -> Verdict:
        """One POST, within TIMEOUT_S. Once it is on its way and no answer comes, nobody knows."""
        to = msgspec.convert(notice.secret, Subscription)
        if (problem := refusal(to.endpoint, rules=self._rules)) is not None:
            return GiveUp(f"its URL {problem}")
        request = self._request(notice, to)
        begun()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._transport.handle_async_request(request)
        except SourceRefused as error:
            return GiveUp(not_allowed(error))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return TryAgain("no connection to the push service")
        except (TimeoutError, httpx.TransportError):
            return GiveUp("the push service did not say whether it took the message", unknown=True)
        await let_go(response)
        return self._verdict(response)

    def _request(self, notice: Notice, to: Subscription) -> httpx.Request:
        topic = (notice.job.id if notice.job else notice.channel_id).hex  # 32 characters, the most there may be
        headers = {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(TTL_S),
            "topic": topic,
            "urgency": "normal",
            **self._signed(to.endpoint),
        }
        return post(to.endpoint, body=encrypted(message_of(notice, settings=self._settings), to), headers=headers)

    def _signed(self, endpoint: str) -> Mapping[str, str]:
        url = httpx.URL(endpoint)
        claims: dict[str, Any] = {
            "aud": f"{url.scheme}://{url.netloc.decode('ascii')}",
            "exp": int(self._clock.now().timestamp()) + TOKEN_S,
            "sub": self._settings.push_contact,
        }
        return self._vapid.sign(claims)

    def _verdict(self, response: httpx.Response) -> Verdict:
        status = response.status_code
        if 200 <= status < 300:
            return Delivered(status)
        if status in _GONE:
            return GiveUp("the browser is not subscribed any more", status, disable=True)
        if status == 429 or status >= 500:
            asked_s = wait_asked_for(response, clock=self._clock)
            return TryAgain(f"the push service answered {status}", status, after_s=asked_s)
        # 401: our token was refused (RFC 8292), which no browser can do anything about.
        return GiveUp(f"the push service answered {status}", status, ours=status == _UNAUTHORISED)


def message_of(notice: Notice, *, settings: Settings) -> bytes:
    """What the browser is told."""
    return msgspec.json.encode(
        PushMessage(
            title=wording.title(notice),
            body="\n".join(wording.body(notice)),
            tag=f"haulier-{notice.job.id if notice.job else notice.channel_id}",
            lang=wording.language_of(notice),
            url=settings.page_url(notice.job.id) if notice.job else None,
        )
    )


def encrypted(message: bytes, to: Subscription) -> bytes:
    """`message` so that only the browser reads it."""
    import http_ece
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    return http_ece.encrypt(
        message,
        private_key=generate_private_key(SECP256R1()),
        dh=base64url_bytes(to.p256dh, size=POINT_BYTES),
        auth_secret=base64url_bytes(to.auth, size=AUTH_BYTES),
        version="aes128gcm",
    )


@asynccontextmanager
async def open_push(settings: Settings, *, clock: Clock) -> AsyncGenerator[PushSender]:
    """A sender with its connections."""
    async with checked_transport(settings) as transport:
        yield PushSender(transport, settings=settings, clock=clock)
