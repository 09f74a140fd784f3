"""Running the API: open everything, serve until asked to stop, close everything."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from haulier.api.app import create_app
from haulier.api.live.websocket_protocol import PING_S, BoundedWebSocketProtocol
from haulier.api.protocol import BoundedHttpProtocol
from haulier.api.services import open_services
from haulier.settings import Settings
from haulier.wire_live import MAX_MESSAGE_BYTES

GRACE_S = 10
IDLE_S = 65  # longer than the 60 s that load balancers keep a connection: they shall close it, not we
BACKLOG = 2_048


class Server(uvicorn.Server):
    """Leaves signals to `serve`: uvicorn would raise them again before our services are closed."""

    @classmethod
    def of(cls, app: ASGIApp, *, host: str, port: int, grace_s: int) -> "Server":
        """A server of `app`; requests in flight get `grace_s` to finish when it is stopped."""
        return cls(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=BoundedHttpProtocol,
                ws=BoundedWebSocketProtocol,
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=grace_s,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, which let requests in flight finish for GRACE_S; a second one stops at once."""
    async with open_services(settings) as services:
        server = Server.of(create_app(services), host=settings.host, port=settings.port, grace_s=GRACE_S)

        def stop() -> None:
            server.force_exit = server.should_exit
            server.should_exit = True
            services.stop()

        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop)
        try:
            await server.serve()
        finally:
            for each in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(each)
