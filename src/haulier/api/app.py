"""Putting the application together: routes from the table of operations, the documents, files, the envelope."""

from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from haulier.api.documents import document_operations
from haulier.api.endpoint import Endpoint
from haulier.api.envelope import Envelope
from haulier.api.operations import OPERATIONS, Operation
from haulier.api.services import Services
from haulier.errors import NotFound


def create_app(services: Services) -> ASGIApp:
    """The API over open services. Whoever opened them closes them."""
    settings = services.settings
    routes = _routes((*OPERATIONS, *document_operations(settings)), services)
    router = Router(routes, redirect_slashes=False, default=_not_found)
    return Envelope(router, base_url=settings.base_url, clock=services.clock)


def _routes(operations: tuple[Operation, ...], services: Services) -> list[BaseRoute]:
    """One route for each path, in the order of the table."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [Route(path, Endpoint(found, services)) for path, found in by_path.items()]


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose()(scope, receive, send)
        return
    raise NotFound
