"""Couriers over the services of a test, and its API with something different."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

import httpx

from haulier.api.app import create_app
from haulier.api.services import Services
from haulier.clock import SYSTEM_CLOCK
from haulier.notify import Courier, open_senders
from haulier.sealing import channel_sealer
from tests.api_client import ApiClient


@asynccontextmanager
async def running_couriers(
    services: Services, *, count: int = 1, grace_s: float = 5.0
) -> AsyncGenerator[list[Courier]]:
    """So many couriers, as in so many workers, each with senders of its own."""
    async with AsyncExitStack() as stack:
        couriers: list[Courier] = []
        for _ in range(count):
            senders = await stack.enter_async_context(open_senders(services.settings, clock=SYSTEM_CLOCK))
            couriers.append(
                Courier(
                    ledger=services.ledger,
                    senders=senders,
                    sealer=channel_sealer(services.settings),
                    clock=SYSTEM_CLOCK,
                    rng=Random(1),
                )
            )
        for courier in couriers:
            await stack.enter_async_context(courier.running(grace_s=grace_s))
        yield couriers


@asynccontextmanager
async def another_api(services: Services, **fields: Any) -> AsyncGenerator[ApiClient]:
    """A client of the same API but for `fields` of its services."""
    transport = httpx.ASGITransport(create_app(replace(services, **fields)))
    async with httpx.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
        yield ApiClient(http, secret=services.settings.jwt_secret)
