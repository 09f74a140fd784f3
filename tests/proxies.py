"""A proxy that holds event streams back: their head goes through, and after it some blocks and no others."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


@asynccontextmanager
async def holding_back(target: str, *, blocks: int = 0) -> AsyncGenerator[str]:
    """The address of one in front of `target`; what is no event stream it passes on."""
    to = urlsplit(target)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, sender = await asyncio.open_connection(to.hostname, to.port)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            sender.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            if b"/events" in head.partition(b"\r\n")[0]:
                for end in (b"\r\n\r\n", *[b"\n\n"] * blocks):
                    writer.write(await upstream.readuntil(end))
                await reader.read()  # until the client goes
            else:
                while piece := await upstream.read(65_536):
                    writer.write(piece)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            sender.close()
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
