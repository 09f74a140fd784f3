"""The demo's slow origin: one file over HTTP/1.1 on loopback, throttled, with Range, so that `fetch` has work to do."""

import asyncio
import base64
import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

BYTES_PER_S = 2_000_000
BLOCK_BYTES = 50_000
HEAD_MAX_BYTES = 16_384


class Origin:
    """Serves `content` at `path` to GET and HEAD, each connection at `bytes_per_s`; one request a connection."""

    def __init__(self, content: bytes, *, path: str, content_type: str, bytes_per_s: int = BYTES_PER_S) -> None:
        self._content = content
        self._path = path
        self._content_type = content_type
        self._pause_s = BLOCK_BYTES / bytes_per_s
        digest = hashlib.sha256(content)
        self._etag = f'"{digest.hexdigest()[:32]}"'
        self._digest = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[str]:
        """Serve on a free port of 127.0.0.1 during the block; answers the file's URL."""
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await self._answer(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
                pass  # the client went away, or we stop
            finally:
                connections.discard(task)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=HEAD_MAX_BYTES)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{self._path}"
        finally:
            server.close()
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, target = lines[0].partition(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if method not in ("GET", "HEAD") or target.split(" ")[0] != self._path:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        status, start, end = self._range(headers)
        writer.write(self._head(status, start, end))
        for offset in range(start, end if method == "GET" else start, BLOCK_BYTES):
            writer.write(self._content[offset : min(offset + BLOCK_BYTES, end)])
            await writer.drain()
            await asyncio.sleep(self._pause_s)
        await writer.drain()

    def _range(self, headers: dict[str, str]) -> tuple[str, int, int]:
        """Status, first byte and end of the answer. Of ranges only `bytes=N-` and `bytes=N-M` are known."""
        size = len(self._content)
        asked = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", headers.get("range", ""))
        if asked is None or headers.get("if-range", self._etag) != self._etag:
            return "200 OK", 0, size
        start, end = int(asked[1]), min(int(asked[2] or size) + 1, size)
        if start >= end:
            return "416 Range Not Satisfiable", 0, 0
        return "206 Partial Content", start, end

    def _head(self, status: str, start: int, end: int) -> bytes:
        size = len(self._content)
        place = f"{start}-{end - 1}" if end > start else "*"
        lines = [
            f"HTTP/1.1 {status}",
            f"Content-Length: {end - start}",
            f"Content-Type: {self._content_type}",
            f"ETag: {self._etag}",
            f"Repr-Digest: {self._digest}",
            "Accept-Ranges: bytes",
            "Connection: close",
        ]
        if not status.startswith("200"):
            lines.append(f"Content-Range: bytes {place}/{size}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
