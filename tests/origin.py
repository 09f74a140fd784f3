"""An HTTP origin on the loopback that behaves as badly as told: plain asyncio, because servers are too well-behaved."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CONTENT = bytes(range(256)) * 4_096  # 1 MiB
ETAG = '"v1"'
BLOCK_BYTES = 2**16


@dataclass(frozen=True)
class Asked:
    """One request. Header names in lower case."""

    path: str
    headers: dict[str, str]

    @property
    def start(self) -> int:
        """First byte asked for by `Range: bytes=N-`, or 0."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


@dataclass
class Reply:
    """What to send. `length` is what Content-Length says (None: left out, -1: the truth); `stall_s` before the end.

    With `drip_s` the body comes one byte at a time; with `reset` the connection ends in a reset instead of a close.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = -1
    stall_s: float = 0.0
    drip_s: float = 0.0
    reset: bool = False

    def head(self) -> bytes:
        length = len(self.body) if self.length == -1 else self.length
        lines = [f"HTTP/1.1 {self.status} X", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [] if length is None else [f"Content-Length: {length}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


Handler = Callable[[Asked], Reply]


class Origin:
    """`asked` lists the requests so far; `open` counts connections that are being answered; `served` is how many bytes
    of bodies the system took, which may be some 100 KiB more than the client did."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[Asked] = []
        self.open = 0
        self.served = 0
        self.port = 0

    def url(self, path: str = "/file.bin", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.split(": ", 1) for line in head[1:] if line)
            asked = Asked(head[0].split(" ")[1], {name.lower(): value for name, value in fields.items()})
            self.asked.append(asked)
            reply = self.handler(asked)
            await self._send(writer, reply)
            if reply.stall_s:
                await asyncio.wait({asyncio.ensure_future(reader.read())}, timeout=reply.stall_s)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            self.open -= 1
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        writer.write(reply.head())
        writer.transport.set_write_buffer_limits(high=BLOCK_BYTES)
        step = 1 if reply.drip_s else BLOCK_BYTES
        for at in range(0, len(reply.body), step):
            block = reply.body[at : at + step]
            writer.write(block)
            await writer.drain()
            self.served += len(block)
            if reply.drip_s:
                await asyncio.sleep(reply.drip_s)
        await writer.drain()
        if reply.reset:
            linger_not = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)


def versioned(
    content: bytes = CONTENT,
    *,
    etag: str = ETAG,
    cut_after: Callable[[int], int | None] = lambda n: None,
    ranged: Callable[[int], bool] = lambda n: True,
) -> Handler:
    """Serves ranges of `content`; the n-th answer (from 0) breaks off after `cut_after(n)` bytes of its body, and is
    the whole again unless `ranged(n)`."""
    count = 0

    def handle(asked: Asked) -> Reply:
        nonlocal count
        cut, start, count = cut_after(count), asked.start if ranged(count) else 0, count + 1
        rest = content[start:]
        headers = {"ETag": etag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206 if start else 200, headers, rest[:cut], length=len(rest))

    return handle


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[Origin]:
    """The origin while the block runs; at its end no connection may be left."""
    origin = Origin(handler)
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(_current())
        await origin.answer(reader, writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BLOCK_BYTES)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        await _all(tasks)


def _current() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _all(tasks: set[asyncio.Task[None]]) -> Awaitable[None] | None:
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=5)
        assert not late, "fetch left a connection open"
