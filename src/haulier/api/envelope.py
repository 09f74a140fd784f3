"""What every request gets, whoever answers it: an id, a log line, security headers, and errors as problems."""

import re
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haulier.api.endpoint import SCOPE_KEY, send_answer
from haulier.api.exchange import ClientGone, Exchange
from haulier.api.problems import problem_answer
from haulier.clock import Clock
from haulier.errors import HaulierError
from haulier.observe.events import REQUEST, REQUEST_FAILED

log = structlog.get_logger()

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

    def __init__(self, app: ASGIApp, *, base_url: str, clock: Clock) -> None:
        self._app = app
        self._base_url = base_url
        self._clock = clock
        self._always = [*_SECURITY_HEADERS]
        if base_url.startswith("https://"):
            self._always.append(_HTTPS_ONLY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive)
        exchange.request_id = _request_id(exchange)
        scope[SCOPE_KEY] = exchange
        started = self._clock.monotonic()
        context = {"request_id": exchange.request_id} | _trace(exchange)
        with structlog.contextvars.bound_contextvars(**context):
            try:
                await self._answer(exchange, send)
            finally:
                log.info(
                    REQUEST,
                    method=scope["method"],
                    route=exchange.route,
                    status=exchange.status,
                    duration_ms=round((self._clock.monotonic() - started) * 1_000, 2),
                )

    async def _answer(self, exchange: Exchange, send: Send) -> None:
        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = self._enveloped(exchange, list(message["headers"]))
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


def _request_id(exchange: Exchange) -> str:
    """The client's X-Request-ID when it is short and visible, a new one otherwise."""
    given = exchange.header(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given.encode("latin-1")):
        return given
    return str(uuid4())


def _trace(exchange: Exchange) -> dict[str, str]:
    """The trace's id of a valid traceparent (W3C Trace Context)."""
    given = exchange.header(b"traceparent")
    match = given and _TRACEPARENT.fullmatch(given.encode("latin-1"))
    return {"trace_id": match[1].decode()} if match else {}
