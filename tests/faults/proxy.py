"""A TCP proxy on loopback that makes a network behave badly, switched while it runs.

    async with proxy("127.0.0.1", 5432) as link:
        settings = replace(settings, database_url=Secret(link.url_for(url)))
        link.blackhole()
        ...
        link.heal()

A fault holds for open connections and for new ones, until `heal`.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

CHUNK_BYTES = 64 * 1_024
BACKLOG = 512
_RST_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, no waiting


class Link:
    """One client's connection. `lossy` once bytes of it were swallowed: it cannot be used any more."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self._ends = [client]
        self.lossy = False

    def joined(self, server: asyncio.StreamWriter) -> None:
        """The server's side is connected too."""
        self._ends.append(server)

    def reset(self) -> None:
        """End both sides with a TCP reset."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            end.transport.abort()


class Proxy:
    """Passes bytes to `host`:`port` and back, but for the fault that is switched on."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._swallows = False
        self._latency_s = 0.0
        self._bytes_per_s: float | None = None
        self._cut_after: int | None = None
        self._dropped: bytes | None = None
        self.port = 0
        self.connections = 0

    def url_for(self, url: str) -> str:
        """`url` with this proxy's address in place of its server's; user, password, path and query stay."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    # ---- faults

    def delay(self, seconds: float) -> None:
        """Every piece arrives this much later, in either direction."""
        self._latency_s = seconds

    def throttle(self, bytes_per_s: float) -> None:
        """Each connection moves at most this many bytes a second."""
        self._bytes_per_s = bytes_per_s

    def cut(self, after_bytes: int) -> None:
        """Reset each connection once the server has sent so many bytes on it, counted from its start."""
        self._cut_after = after_bytes

    def drop(self, answers_with: bytes) -> None:
        """Lose the server's pieces that contain these bytes; everything else passes, and the connection looks well."""
        self._dropped = answers_with

    def blackhole(self) -> None:
        """Accept connections and bytes, never answer. What was swallowed stays lost: `heal` resets such connections."""
        self._swallows = True

    def hold(self) -> None:
        """Keep all bytes until `heal`, as a cable pulled for a while: nothing is lost."""
        self._flowing.clear()

    def refuse(self) -> None:
        """Nobody listens: open connections are reset and new ones refused, as after a kill of the server."""
        self._stop_listening()
        self.reset()

    def reset(self) -> None:
        """Reset every open connection, once."""
        for link in list(self._links):
            link.reset()

    def heal(self) -> None:
        """Pass everything again, on the same port."""
        self._latency_s, self._bytes_per_s, self._cut_after, self._dropped = 0.0, None, None, None
        self._swallows = False
        self._flowing.set()
        for link in list(self._links):
            if link.lossy:
                link.reset()
        self.listen()

    @contextmanager
    def refusing(self) -> Generator[None]:
        """`refuse` during the block."""
        self.refuse()
        try:
            yield
        finally:
            self.heal()

    # ---- passing on

    def listen(self) -> None:
        """Take connections, if it does not yet."""
        if self._listener is not None:
            return
        self._listener = listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(BACKLOG)
        self.port = listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):  # the client has left again
            accepted, _ = self._listener.accept()
            accepted.setblocking(False)
            self.connections += 1
            task = asyncio.get_running_loop().create_task(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        link = Link(writer)
        self._links.add(link)
        try:
            await self._carry(reader, writer, link)
        except OSError:
            link.reset()
        finally:
            self._links.discard(link)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        """One connection from its start to its end; raises OSError when the server is away."""
        if self._swallows:
            link.lossy = True
            while await reader.read(CHUNK_BYTES):
                pass
            return
        await self._flowing.wait()
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        link.joined(server_writer)
        try:
            await asyncio.gather(
                self._pump(reader, server_writer, link, is_answer=False),
                self._pump(server_reader, writer, link, is_answer=True),
            )
        finally:
            server_writer.close()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, link: Link, *, is_answer: bool
    ) -> None:
        passed = 0
        while chunk := await source.read(CHUNK_BYTES):
            await self._flowing.wait()
            if self._swallows:
                link.lossy = True
                continue
            if is_answer and self._dropped is not None and self._dropped in chunk:
                continue
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            if self._bytes_per_s:
                await asyncio.sleep(len(chunk) / self._bytes_per_s)
            if is_answer and self._cut_after is not None and passed + len(chunk) > self._cut_after:
                target.write(chunk[: max(0, self._cut_after - passed)])
                await target.drain()
                link.reset()
                return
            target.write(chunk)
            await target.drain()
            passed += len(chunk)
        if not link.lossy and target.can_write_eof():
            target.write_eof()

    async def close(self) -> None:
        """Stop, with all connections."""
        self._stop_listening()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxy(host: str, port: int, *, at: int = 0) -> AsyncGenerator[Proxy]:
    """A proxy before `host`:`port` during the block, on port `at`; 0 is a free one."""
    opened = Proxy(host, port)
    opened.port = at
    opened.listen()
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def proxy_before(url: str) -> AsyncGenerator[Proxy]:
    """A proxy before the server of `url`."""
    parts = urlsplit(url)
    assert parts.hostname, url
    assert parts.port, url
    async with proxy(parts.hostname, parts.port) as opened:
        yield opened
