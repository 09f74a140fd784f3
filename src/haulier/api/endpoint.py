"""One path of the API as an ASGI application: method, token, handler, answer. The same for every operation."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from haulier.api.exchange import Answer, Exchange
from haulier.api.operations import Operation
from haulier.api.services import Services
from haulier.errors import MethodNotAllowed

SCOPE_KEY = "haulier.exchange"


class Endpoint:
    """Answers the operations of one path; HEAD is GET without its body."""

    def __init__(self, operations: Sequence[Operation], services: Services) -> None:
        self._route = operations[0].path
        self._services = services
        self._operations = {operation.method: operation for operation in operations}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        self._allowed = ", ".join(sorted(self._operations))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = self._route
        operation = self._operations.get(scope["method"])
        if operation is None:
            raise MethodNotAllowed(allowed=self._allowed)
        if operation.secured:
            exchange.takes_basic = operation.takes_basic
            exchange.caller = await self._services.tokens.caller(
                exchange.header(b"authorization"), takes_basic=operation.takes_basic
            )
        answer = await operation.handler(exchange, self._services)
        if isinstance(answer, Answer):
            await send_answer(answer, exchange, send)
        else:
            await answer(scope, receive, send)


class Named:
    """An application of its own at one path: gives its requests the route's name in the log."""

    def __init__(self, route: str, app: ASGIApp) -> None:
        self._route = route
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = self._route
        await self._app(scope, receive, send)


async def send_answer(answer: Answer, exchange: Exchange, send: Send) -> None:
    """Send `answer` whole, with its length; its body not to a HEAD."""
    headers = [*answer.headers, *exchange.extra_headers]
    if answer.status != 304:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if exchange.scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
