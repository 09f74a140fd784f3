"""A worker's health over HTTP, for process managers: the same two calls as the API's."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from haulier.api.health import Checks, status_of
from haulier.api.serve import Server
from haulier.observe.events import WORKER_HEALTH_AWAY
from haulier.settings import Settings
from haulier.wire import Health

log = structlog.get_logger()

CLOSE_S = 2


def health_app(checks: Checks) -> Starlette:
    """`/health` answers 200 while the process does, `/health/ready` 503 when it takes no jobs."""

    async def alive(_: Request) -> Response:
        return _answer(await checks.alive(), status=200)

    async def ready(_: Request) -> Response:
        health = await checks.ready()
        return _answer(health, status=status_of(health))

    return Starlette(routes=[Route("/health", alive), Route("/health/ready", ready)])


def _answer(health: Health, *, status: int) -> Response:
    return Response(msgspec.json.encode(health), status_code=status, media_type="application/json")


@asynccontextmanager
async def serving_health(settings: Settings, checks: Checks) -> AsyncGenerator[None]:
    """Serve on `worker_port` during the block, unless it is 0. A port in use is logged, and no reason to stop."""
    if not settings.worker_port:
        yield
        return
    server = Server.of(health_app(checks), host=settings.worker_host, port=settings.worker_port, grace_s=CLOSE_S)
    task = asyncio.create_task(_served(server))
    try:
        yield
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


async def _served(server: Server) -> None:
    try:
        await server.serve()
    except SystemExit:  # uvicorn's way to say that it cannot listen
        log.warning(WORKER_HEALTH_AWAY, port=server.config.port)
