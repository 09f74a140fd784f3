"""The API on a real server in the test's own process, for what needs a connection: streams, WebSockets, hanging up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import msgspec

from haulier.api.app import create_app
from haulier.api.serve import Server
from haulier.api.services import Services, open_services
from haulier.embedded.ports import free_port
from haulier.settings import Settings
from tests.api_client import ApiClient
from tests.waiting import eventually


class ServedClient(ApiClient):
    """Speaks to a server of the test's own, whose `services` it can reach into."""

    def __init__(self, http: httpx.AsyncClient, *, services: Services) -> None:
        super().__init__(http, secret=services.settings.jwt_secret)
        self.services = services
        self.url = services.settings.base_url


@asynccontextmanager
async def serving(settings: Settings, **changes: Any) -> AsyncGenerator[ServedClient]:
    """An API with `settings` (and `changes`) on a free port; ends with the block, streams first."""
    settings = msgspec.structs.replace(settings, **{"port": free_port()} | changes)
    async with open_services(settings) as services:
        server = Server.of(create_app(services), host=settings.host, port=settings.port, grace_s=5)
        task = asyncio.create_task(server.serve())
        try:
            async with httpx.AsyncClient(base_url=settings.base_url) as http:
                await eventually(lambda: server.started)
                yield ServedClient(http, services=services)
        finally:
            services.stop()
            server.should_exit = True
            with suppress(TimeoutError):
                await asyncio.wait_for(task, 10)
