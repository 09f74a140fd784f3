"""Putting the application together: routes from the table of operations, the documents, files, the envelope."""

from uuid import UUID

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from haulier.api import files
from haulier.api.documents import document_operations
from haulier.api.endpoint import Endpoint, Named
from haulier.api.envelope import Envelope
from haulier.api.files import ServeFile
from haulier.api.live import websocket
from haulier.api.live.websocket import WebSocket
from haulier.api.operations import OPERATIONS, Operation
from haulier.api.pages import page_operations
from haulier.api.services import Services
from haulier.errors import NotFound
from haulier.job import Artefact
from haulier.settings import Settings

_PAGE_MAY_SEND = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "If-Range",
    "X-Request-ID",
    "traceparent",
]
_PAGE_MAY_READ = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Repr-Digest",
    "Retry-After",
    "X-Request-ID",
]


def create_app(services: Services) -> ASGIApp:
    """The API over open services. Whoever opened them closes them."""
    settings = services.settings
    routes = _routes((*OPERATIONS, *document_operations(settings), *page_operations(settings)), services)
    router = Router([*routes, *_files(services), *_websocket(services)], redirect_slashes=False, default=_not_found)
    return _for_pages(Envelope(router, settings=settings, clock=services.clock), settings)


def _for_pages(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Lets pages of other origins use the API (CORS), where the operator allows some."""
    if not settings.page_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.page_origins,
        allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
        allow_headers=_PAGE_MAY_SEND,
        expose_headers=_PAGE_MAY_READ,
        max_age=3_600,
    )


def _routes(operations: tuple[Operation, ...], services: Services) -> list[BaseRoute]:
    """One route for each path, in the order of the table."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [Route(path, Endpoint(found, services)) for path, found in by_path.items()]


def _files(services: Services) -> list[BaseRoute]:
    """Our own links: those of a store that cannot serve itself, and of clients that S3 would refuse."""
    signer = services.own_links
    if signer is None:
        return []

    async def find(job_id: UUID, /) -> tuple[Artefact, bool] | None:
        job = await services.snapshots.get(job_id)
        if job is None or job.artefact is None:
            return None
        return job.artefact, not job.is_available(now=services.clock.now())

    serve_file = ServeFile(find=find, storage=services.storage, signer=signer)
    return [Route(files.PATH, Named(files.PATH, serve_file))]


def _websocket(services: Services) -> list[BaseRoute]:
    app = WebSocket(services)
    return [WebSocketRoute(websocket.PATH, app), Route(websocket.PATH, app)]


async def _not_found(_: Scope, __: Receive, ___: Send) -> None:
    raise NotFound
