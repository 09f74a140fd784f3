"""A WebSocket client for tests: says and hears messages, and knows how a connection ended."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from haulier.wire import Problem
from haulier.wire_live import CloseCode, ServerMessage
from tests.serving import Serving

PATIENCE_S = 10


class Socket:
    """One connection. Each message that it hears is one that the contract knows, to the byte."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.cursor = ""

    async def say(self, kind: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self.connection.recv(), PATIENCE_S)
        assert isinstance(text, str)
        shape: Any = ServerMessage
        assert msgspec.json.encode(msgspec.json.decode(text, type=shape)).decode() == text
        return json.loads(text)

    async def hear_until(self, kind: str) -> list[dict[str, Any]]:
        """All messages up to the first of this type, with it."""
        heard = [await self.hear()]
        while heard[-1]["type"] != kind:
            heard.append(await self.hear())
        return heard

    async def follow(self, job_id: str | None = None, *, since: str = "") -> list[dict[str, Any]]:
        """Subscribe to the job, or to all; what was told before it was confirmed. `cursor` is then that of all."""
        choice: dict[str, Any] = {"all": True} if job_id is None else {"job_id": job_id}
        await self.say("subscribe", **choice, **({"since": since} if since else {}))
        *told, last = await self.hear_until("subscribed")
        self.cursor = last.pop("cursor", "")
        assert (last, bool(self.cursor)) == ({"type": "subscribed", **choice}, job_id is None)
        return told

    async def error(self) -> str:
        """The code of the error that comes next."""
        message = await self.hear()
        assert message["type"] == "error", message
        return message["code"]

    async def closed(self) -> CloseCode:
        """The code that the server closes with; what it says before is passed over."""
        with pytest.raises(ConnectionClosed) as end:
            await asyncio.wait_for(self._hear_all(), PATIENCE_S)
        assert end.value.rcvd is not None, end.value
        return CloseCode(end.value.rcvd.code)

    async def _hear_all(self) -> None:
        while True:
            await self.connection.recv()

    async def silent(self) -> bool:
        """Whether the server has nothing to tell: it answers a ping first, and then tells what has changed."""
        for _ in range(2):
            await self.say("ping")
            if (await self.hear())["type"] != "pong":
                return False
        return True


def address(api: Serving, *, query: str = "") -> str:
    return f"{api.url.replace('http', 'ws', 1)}/ws{query}"


@asynccontextmanager
async def opened(api: Serving, *, query: str = "", **options: Any) -> AsyncGenerator[Socket]:
    """A connection as it is after the handshake."""
    async with connect(address(api, query=query), proxy=None, **options) as connection:
        yield Socket(connection)


@asynccontextmanager
async def socket(api: Serving, *, user: str = "anna", role: str = "free", ttl_s: int = 600) -> AsyncGenerator[Socket]:
    """A connection of `user`, ready."""
    bearer = f"Bearer {api.token(user, role=role, ttl_s=ttl_s)}"
    async with opened(api, additional_headers={"Authorization": bearer}) as connection:
        assert await connection.hear() == {"type": "ready"}
        yield connection


async def refused(api: Serving, *, query: str = "", **options: Any) -> Problem:
    """The HTTP answer that the handshake is refused with."""
    with pytest.raises(InvalidStatus) as refusal:
        async with opened(api, query=query, **options):
            pass
    response = refusal.value.response
    headers = httpx.Headers([*response.headers.raw_items()])
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    problem = msgspec.json.decode(bytes(response.body or b""), type=Problem)
    assert (problem.status, problem.request_id) == (response.status_code, headers["x-request-id"])
    return problem
