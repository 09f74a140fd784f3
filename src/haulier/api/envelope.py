"""What every request gets, whoever answers it: an id, a log line, security headers, and errors as problems."""

import re

import structlog
import uuid_utils
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from haulier.api.endpoint import SCOPE_KEY, send_answer
from haulier.api.exchange import ClientGone, Exchange
from haulier.api.problems import problem_answer
from haulier.api.requestlog import RequestLog
from haulier.clock import Clock
from haulier.errors import HaulierError
from haulier.observe.events import REQUEST_FAILED
from haulier.settings import Settings

log = structlog.get_logger()

STATUS_SWITCHED = 101
STATUS_CLIENT_GONE = 499  # for the log only, as nginx writes it

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")


class Envelope:
    """The outermost layer. An application inside may set its own Content-Security-Policy."""

    def __init__(self, app: ASGIApp, *, settings: Settings, clock: Clock) -> None:
        self._app = app
        self._base_url = settings.base_url
        self._clock = clock
        self._log = RequestLog(settings, clock=clock)
        self._always = [*_SECURITY_HEADERS]
        if self._base_url.startswith("https://"):
            self._always.append(_HTTPS_ONLY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["method"] = "GET"
            send = _as_handshake(send)
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive)
        exchange.request_id = _request_id(exchange)
        exchange.trace_id = _trace_id(exchange)
        scope[SCOPE_KEY] = exchange
        started = self._clock.monotonic()
        with bound_contextvars(request_id=exchange.request_id, trace_id=exchange.trace_id):
            try:
                await self._answer(exchange, send)
            finally:
                self._log.write(exchange, duration_s=self._clock.monotonic() - started)

    async def _answer(self, exchange: Exchange, send: Send) -> None:
        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = self._enveloped(exchange, list(message["headers"]))
            elif message["type"] == "websocket.accept":
                exchange.status = STATUS_SWITCHED
                message["headers"] = [(b"x-request-id", exchange.request_id.encode("latin-1"))]
            await send(message)

        try:
            await self._app(exchange.scope, exchange.receive, send_enveloped)
        except ClientGone:
            exchange.status = STATUS_CLIENT_GONE
        except Exception as error:
            if not isinstance(error, HaulierError) or error.status == 500:
                log.exception(REQUEST_FAILED, route=exchange.route)
            if exchange.status:  # half an answer is out: all that is left is to break the connection
                raise
            known = error if isinstance(error, HaulierError) else HaulierError()
            answer = problem_answer(known, exchange, base_url=self._base_url)
            exchange.extra_headers = []
            await send_answer(answer, exchange, send_enveloped)

    def _enveloped(self, exchange: Exchange, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        headers += self._always
        headers.append((b"x-request-id", exchange.request_id.encode("latin-1")))
        if not any(name == b"content-security-policy" for name, _ in headers):
            headers.append(_POLICY)
        return headers


def _as_handshake(send: Send) -> Send:
    """Sends HTTP answers as refusals of a WebSocket's handshake."""

    async def send_refusal(message: Message) -> None:
        if message["type"].startswith("http.response."):
            message["type"] = f"websocket.{message['type']}"
        await send(message)

    return send_refusal


def _request_id(exchange: Exchange) -> str:
    """The client's X-Request-ID when it is short and visible, a new one otherwise."""
    given = exchange.header(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given.encode("latin-1")):
        return given
    return str(uuid_utils.uuid4())


def _trace_id(exchange: Exchange) -> str:
    """The trace's id of a valid traceparent (W3C Trace Context); empty without one."""
    given = exchange.header(b"traceparent")
    match = given and _TRACEPARENT.fullmatch(given.encode("latin-1"))
    return match[1].decode() if match else ""
