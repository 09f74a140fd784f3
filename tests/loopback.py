"""A tiny HTTP server on the loopback, for tests of the client: it answers as told, and may cut an answer short."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import msgspec

JOB = "0190a6c0-0000-7000-8000-000000000001"
CONTENT = bytes(range(256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """`cut_after` closes the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


Handler = Callable[[Seen], Reply]


class Loopback:
    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.routes: dict[tuple[str, str], Handler] = {}

    def on(self, method: str, path: str, *replies: Reply | Handler) -> None:
        """Answer with `replies` in turn; the last one stays."""
        queue = list(replies)

        def handle(seen: Seen) -> Reply:
            reply = queue.pop(0) if len(queue) > 1 else queue[0]
            return reply if isinstance(reply, Reply) else reply(seen)

        self.routes[method, path] = handle

    def to(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            parts = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            seen = Seen(method, parts.path, query, headers, body)
            self.seen.append(seen)
            reply = self.routes.get((method, parts.path), lambda _: problem(404, "not_found"))(seen)
            sent = {"Content-Length": str(len(reply.body)), "Connection": "close"} | reply.headers
            lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
            writer.write("\r\n".join([*lines, *(f"{k}: {v}" for k, v in sent.items()), "", ""]).encode("latin-1"))
            writer.write(reply.body[: reply.cut_after])
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def loopback() -> AsyncGenerator[Loopback]:
    server = Loopback()
    async with await asyncio.start_server(server._serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        server.url = f"http://127.0.0.1:{port}"
        yield server


@contextmanager
def refusing() -> Generator[str]:
    """The address of an API that is gone; the port stays taken, so that nobody else begins to listen there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def status(**changes: object) -> dict[str, object]:
    return {
        "job_id": JOB,
        "status": "queued",
        "progress": 0,
        "file_id": 70_000,
        "created_at": "2026-11-23T10:00:00.000Z",
        "updated_at": "2026-11-23T10:00:00.000Z",
        "version": 1,
        "attempt": 0,
        "estimated_completion": None,
    } | changes


def completed(**changes: object) -> dict[str, object]:
    done = {"status": "completed", "progress": 100, "version": 9, "file_name": "report.bin"}
    return status(**done | {"file_size": len(CONTENT), "sha256": SHA256} | changes)


def answer(body: object, *, code: int = 200, **headers: str) -> Reply:
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(code, msgspec.json.encode(body), sent)


def problem(code: int, name: str, *, detail: str = "No.", **headers: str) -> Reply:
    body = {"type": "about:blank", "title": name, "status": code, "detail": detail, "instance": "/"}
    return answer(body | {"code": name, "request_id": "r-1"}, code=code, **headers)


def ranged(seen: Seen, *, content: bytes = CONTENT, etag: str = '"v1"', cut_after: int | None = None) -> Reply:
    """What a store answers: Range with If-Range, a strong ETag."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    if "range" in seen.headers and seen.headers.get("if-range", etag) == etag:
        first, _, last = seen.headers["range"].removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) + 1 if last else len(content)
        if start >= len(content):
            return Reply(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        return Reply(206, content[start:end], headers, cut_after)
    return Reply(200, content, headers, cut_after)


def complete(server: Loopback) -> None:
    """Whoever asks for a file gets a job that is completed at once, and the file."""
    server.on("POST", "/v1/download/initiate", answer(status()))
    server.on("GET", f"/v1/download/status/{JOB}", answer(completed()))
    server.on("GET", f"/v1/download/file/{JOB}", ranged)
