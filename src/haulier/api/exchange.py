"""One request and its answer, as handlers see them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.types import Receive, Scope

from haulier.api.auth import Caller
from haulier.limits import Role

Headers = tuple[tuple[bytes, bytes], ...]

PRIVATE: Headers = ((b"cache-control", b"private, no-store"),)
_JSON = (b"content-type", b"application/json")
_ENCODER = msgspec.json.Encoder()


class Answer(msgspec.Struct, frozen=True):
    """A complete answer. Content-Length and the headers that every answer has are added on the way out."""

    body: bytes = b""
    status: int = 200
    headers: Headers = ()


def json_answer(shape: msgspec.Struct, *, status: int = 200, headers: Headers = PRIVATE) -> Answer:
    """`shape` as JSON. Nothing may keep it, unless `headers` say otherwise."""
    return json_bytes(_ENCODER.encode(shape), status=status, headers=headers)


def json_bytes(body: bytes, *, status: int = 200, headers: Headers = PRIVATE) -> Answer:
    """JSON that is encoded already."""
    return Answer(body, status, (_JSON, *headers))


class ClientGone(Exception):
    """The client hung up before it had sent its request; nobody waits for an answer."""


async def until_gone(receive: Receive) -> None:
    """Return when the client has hung up; what it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def listening(receive: Receive) -> AsyncGenerator["asyncio.Task[None]"]:
    """A task that is done once the client has gone: servers take what is sent to nobody without a word."""
    listener = asyncio.create_task(until_gone(receive))
    try:
        yield listener
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


class Exchange:
    """A request on its way: what came in, who asks, and what is known so far of the answer."""

    __slots__ = (
        "_fields",
        "caller",
        "close_code",
        "extra_headers",
        "receive",
        "request_id",
        "route",
        "scope",
        "status",
        "takes_basic",
        "trace_id",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self._fields: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = ""
        self.trace_id = ""
        self.route = "unknown"
        self.status = 0
        self.takes_basic = False
        self.close_code: int | None = None  # of a WebSocket that is over
        self.caller = NOBODY
        # Headers of the answer whatever it will be, an error included.
        self.extra_headers: list[tuple[bytes, bytes]] = []

    def header(self, name: bytes) -> str | None:
        """The header's value; of several lines the last. `name` in lower case."""
        value = self._fields.get(name)
        return None if value is None else value.decode("latin-1")

    def header_list(self, name: bytes) -> str | None:
        """All lines of a list header, joined by commas."""
        if name not in self._fields:
            return None
        return b", ".join(value for known, value in self.scope["headers"] if known == name).decode("latin-1")

    def path_parameter(self, name: str) -> str:
        parameters: dict[str, Any] = self.scope["path_params"]
        return parameters[name]

    async def client_left(self) -> None:
        """Return when the client has hung up; to be used once the body has been read."""
        await until_gone(self.receive)


NOBODY = Caller(user_id="", role=Role.FREE, expires=0.0)
