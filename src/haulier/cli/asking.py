"""Asking the API a question that a person waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from haulier.client import Client, Patience

Result = TypeVar("Result")


def impatient() -> "Patience":
    """Three tries, in a few seconds."""
    from haulier.client import Patience

    return Patience(tries=3, retry_after_max_s=5)


def answer(client: "Client", ask: Callable[["Client"], Awaitable[Result]]) -> Result:
    """What `ask` answers with the client open."""

    async def asked() -> Result:
        async with client:
            return await ask(client)

    return asyncio.run(asked())
