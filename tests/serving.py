"""The API as a real server inside a test: `async with serving(settings) as api`; several at once are replicas."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx
import msgspec

from haulier.api.app import create_app
from haulier.api.serve import Server
from haulier.api.services import Services, open_services
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.settings import Settings
from tests.api_client import ApiClient
from tests.waiting import eventually

PATIENCE_S = 15


class Serving(ApiClient):
    """A client of a server in this process. `url` is where it listens, `services` what it works with."""

    def __init__(self, http: httpx.AsyncClient, *, services: Services, server: Server) -> None:
        super().__init__(http, secret=services.settings.jwt_secret)
        self.services = services
        self.url = services.settings.base_url
        self._server = server

    @property
    def protocols(self) -> list[Any]:
        """The server's end of each connection, this client's own included."""
        return [*self._server.server_state.connections]

    def stop(self) -> None:
        """Ask the server to stop, as SIGTERM does."""
        self._server.should_exit = True
        self.services.stop()


@asynccontextmanager
async def serving(
    settings: Settings, *, grace_s: int = 2, port: int = 0, clock: Clock = SYSTEM_CLOCK, **changes: Any
) -> AsyncGenerator[Serving]:
    """The API on `port` (0: a free one), over services of its own with `changes` of the settings, during the block."""
    with closing(socket.create_server(("127.0.0.1", port), backlog=2_048)) as listener:
        own = msgspec.structs.replace(settings, host="127.0.0.1", port=listener.getsockname()[1], **changes)
        async with open_services(own, clock=clock) as services:
            server = Server.of(create_app(services), host=own.host, port=own.port, grace_s=grace_s)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                await eventually(lambda: server.started or task.done())
                if own.redis_url is settings.redis_url:
                    await eventually(lambda: services.snapshots.announcements.listening)
                async with httpx.AsyncClient(base_url=own.base_url) as http:
                    yield Serving(http, services=services, server=server)
            finally:
                server.should_exit = True
                services.stop()
                await asyncio.wait_for(task, PATIENCE_S)
