"""Proxies that do harm: one that holds event streams back, one that loses answers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answering = Callable[[bytes, asyncio.StreamReader, Streams], Awaitable[None]]


def holding_back(target: str, *, blocks: int = 0) -> AbstractAsyncContextManager[str]:
    """One in front of `target`. The head of a stream goes through, and after it some blocks and no others."""

    async def answer(head: bytes, upstream: asyncio.StreamReader, client: Streams) -> None:
        reader, writer = client
        if b"/events" not in head.partition(b"\r\n")[0]:
            await _pass_on(upstream, writer)
            return
        for end in (b"\r\n\r\n", *[b"\n\n"] * blocks):
            writer.write(await upstream.readuntil(end))
        await reader.read()  # until the client goes

    return _proxy(target, answer)


def losing(target: str, *, answers: int) -> AbstractAsyncContextManager[str]:
    """One in front of `target` that loses the first `answers`, which `target` has given."""
    left = answers

    async def answer(_: bytes, upstream: asyncio.StreamReader, client: Streams) -> None:
        nonlocal left
        if not left:
            await _pass_on(upstream, client[1])
            return
        left -= 1
        await upstream.read()

    return _proxy(target, answer)


async def _pass_on(upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await upstream.read(65_536):
        writer.write(piece)
        await writer.drain()


@asynccontextmanager
async def _proxy(target: str, answer: Answering) -> AsyncGenerator[str]:
    """Its address. Each connection is for one request; `answer` gets its head and what `target` says to it."""
    to = urlsplit(target)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, sender = await asyncio.open_connection(to.hostname, to.port)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            sender.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
            sender.write(await reader.readexactly(int(length or 0)))
            await answer(head, upstream, (reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            sender.close()
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
