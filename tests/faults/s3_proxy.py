"""A proxy before an S3 server that also knows where requests and bodies begin: it answers 503, or cuts bodies off.

Each request gets a connection of its own, so that nothing of an answer needs to be understood but its end.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from urllib.parse import urlsplit

from tests.faults.proxy import Link, Proxy

_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_BUSY), _BUSY)
)


class S3Proxy(Proxy):
    """`outcomes` counts what became of requests: passed, failed, cut."""

    def __init__(self, host: str, port: int, *, rng: Random) -> None:
        super().__init__(host, port)
        self._rng = rng
        self._failing_share = 0.0
        self._cuts = 0
        self._cut_body_after = 0
        self.outcomes: Counter[str] = Counter()

    def fail(self, share: float) -> None:
        """Answer 503 to this share of all requests, from 0 to 1."""
        self._failing_share = share

    def cut_bodies(self, after_bytes: int, *, times: int) -> None:
        """Break off the bodies of the next `times` answers to a GET that are longer than `after_bytes`."""
        self._cut_body_after, self._cuts = after_bytes, times

    def heal(self) -> None:
        self._failing_share, self._cuts = 0.0, 0
        super().heal()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        if self._swallows or not self._flowing.is_set():
            return await super()._carry(reader, writer, link)
        with contextlib.suppress(asyncio.IncompleteReadError):  # a connection without a request
            head = await reader.readuntil(b"\r\n\r\n")
            if self._rng.random() < self._failing_share:
                await self._refuse(head, reader, writer)
            else:
                await self._pass(head, reader, writer, link)
        return None

    async def _refuse(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.outcomes["failed"] += 1
        fields = _fields(head)
        if "expect" not in fields:
            await reader.readexactly(int(fields.get("content-length", "0")))
        writer.write(_REFUSAL)
        await writer.drain()

    async def _pass(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        link.joined(server_writer)
        server_writer.write(_closing(head))
        upload = asyncio.ensure_future(self._pump(reader, server_writer, link, is_answer=False))
        try:
            is_cut = await self._answer(head, server_reader, writer, link)
            self.outcomes["cut" if is_cut else "passed"] += 1
        finally:
            server_writer.close()
            upload.cancel()
            await asyncio.gather(upload, return_exceptions=True)

    async def _answer(
        self, head: bytes, server: asyncio.StreamReader, client: asyncio.StreamWriter, link: Link
    ) -> bool:
        """Pass the answer on; whether its body was broken off."""
        answer = await server.readuntil(b"\r\n\r\n")
        client.write(answer)
        length = int(_fields(answer).get("content-length", "0"))
        if self._cuts and head.startswith(b"GET ") and length > self._cut_body_after:
            self._cuts -= 1
            client.write(await server.readexactly(self._cut_body_after))
            await client.drain()
            link.reset()
            return True
        await self._pump(server, client, link, is_answer=True)
        return False


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


def _closing(head: bytes) -> bytes:
    """The request with `Connection: close`, which no signature covers."""
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]) + b"\r\n\r\n"


@asynccontextmanager
async def s3_proxy(endpoint: str, *, rng: Random) -> AsyncGenerator[S3Proxy]:
    """A proxy before the S3 server at `endpoint` during the block."""
    parts = urlsplit(endpoint)
    assert parts.hostname, endpoint
    assert parts.port, endpoint
    opened = S3Proxy(parts.hostname, parts.port, rng=rng)
    opened.listen()
    try:
        yield opened
    finally:
        await opened.close()
