"""What live connections cost: CONNECTIONS idle ones to one API process, following one job by SSE and by WebSocket.

Prints the API's memory for each connection, the time from a commit in another process until the last connection has
been told (CHANGES times), and what 1,000 abrupt closes leave behind. Client and server share the machine's cores, so
the times are an upper bound. SSE and WebSocket run one after the other in fresh API processes, ROUNDS times.

Run: `.venv/bin/python bench/live.py [connections]`.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
from installation import haulier, until_ready

from haulier.api.auth import mint_token
from haulier.clock import SYSTEM_CLOCK
from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.embedded.valkey import start_valkey
from haulier.job import Attempt, Handed, Progress
from haulier.ledger import Beat, Ledger, migrate, open_ledger
from haulier.live import Announcements, open_announcements
from haulier.settings import Secret, load

CONNECTIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
CHANGES, ROUNDS, CLOSED = 15, 2, min(1_000, CONNECTIONS)
CONNECTING = 50  # at a time
SECRET = Secret("a-secret-for-benchmarks-a-secret-for-benchmarks")
LEASE = timedelta(minutes=10)
FRAME = b'{"type":"subscribe","job_id":"%b"}'


class Listener(asyncio.Protocol):
    """One connection; counts the statuses it is told."""

    def __init__(self, request: bytes, *, first: bytes, then: bytes = b"") -> None:
        self._request, self._first, self._then = request, first, then
        self.told = 0
        self.told_at = 0.0
        self.began = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.began.is_set() and self._first in data:
            self.began.set()
            self.transport.write(self._then)
        if b'"job_id":' in data and b'"version":' in data:
            self.told += data.count(b'"version":')
            self.told_at = time.perf_counter()


def sse(job_id: str, bearer: str) -> Listener:
    head = f"GET /v1/download/events/{job_id} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {bearer}\r\n\r\n"
    return Listener(head.encode(), first=b"HTTP/1.1 200")


def websocket(job_id: str, bearer: str) -> Listener:
    head = (
        f"GET /ws HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {bearer}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    text = FRAME % job_id.encode()
    assert len(text) < 126
    masked = bytes((0x81, 0x80 | len(text))) + bytes(4) + text  # RFC 6455: a mask of zeros changes nothing
    return Listener(head.encode(), first=b"HTTP/1.1 101", then=masked)


def memory_kib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1_024


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


async def until(holds: Callable[[], bool], *, look_s: float = 0.05) -> None:
    while True:
        if holds():
            return
        await asyncio.sleep(look_s)


@asynccontextmanager
async def api(environ: dict[str, str]) -> AsyncGenerator[tuple[int, int]]:
    """(port, pid) of an API process."""
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        haulier("api", "--port", str(port)), env=os.environ | environ
    )
    try:
        await asyncio.to_thread(until_ready, f"http://127.0.0.1:{port}")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


async def connect(port: int, listeners: list[Listener]) -> None:
    gate = asyncio.Semaphore(CONNECTING)

    async def one(listener: Listener) -> None:
        async with gate:
            await asyncio.get_running_loop().create_connection(lambda: listener, "127.0.0.1", port)
            await listener.began.wait()

    await asyncio.gather(*map(one, listeners))
    await until(lambda: all(listener.told for listener in listeners))


async def running_job(ledger: Ledger, port: int, bearer: str, file_id: int) -> Attempt:
    """A job that this process runs as a worker would."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        answer = await http.post(
            "/v1/download/initiate", json={"file_id": file_id}, headers={"Authorization": f"Bearer {bearer}"}
        )
    job_id = answer.raise_for_status().json()["job_id"]
    await ledger.workers.announce("bench", slots=10)
    await ledger.backlog.take(most=10)
    job = await ledger.jobs.get(UUID(job_id))
    assert job is not None
    attempt = await ledger.attempts.claim(Handed(job.id, job.handover), worker="bench", lease=LEASE)
    assert attempt is not None
    return attempt


async def change(
    ledger: Ledger, announcements: Announcements, attempt: Attempt, nth: int, listeners: list[Listener]
) -> float:
    """Milliseconds from a commit until every connection was told."""
    before = [listener.told for listener in listeners]
    progress = Progress("bench", nth, CHANGES * 10, nth)
    began = time.perf_counter()
    for job in (await ledger.attempts.beat([Beat(attempt, progress)], lease=LEASE)).values():
        announcements.changed(job)
    await until(lambda: all(one.told > told for one, told in zip(listeners, before, strict=True)), look_s=0.002)
    return (max(listener.told_at for listener in listeners) - began) * 1_000


async def measure(
    kind: str, environ: dict[str, str], ledger: Ledger, announcements: Announcements, file_id: int
) -> None:
    bearer = mint_token(SECRET, user="bench", role="admin", ttl_s=3_600, now=SYSTEM_CLOCK.now())
    async with api(environ) as (port, pid):
        attempt = await running_job(ledger, port, bearer, file_id)
        make = sse if kind == "sse" else websocket
        warm = [make(str(attempt.job.id), bearer) for _ in range(50)]
        await connect(port, warm)
        base_kib, base_files = memory_kib(pid), descriptors(pid)
        listeners = [make(str(attempt.job.id), bearer) for _ in range(CONNECTIONS)]
        began = time.perf_counter()
        await connect(port, listeners)
        connected_s = time.perf_counter() - began
        each_kib = (memory_kib(pid) - base_kib) / CONNECTIONS
        times = [await change(ledger, announcements, attempt, nth + 1, listeners) for nth in range(CHANGES)]
        for listener in listeners[:CLOSED]:
            listener.transport.abort()
        await until(lambda: descriptors(pid) <= base_files + CONNECTIONS - CLOSED)
        after_closes = descriptors(pid) - (CONNECTIONS - CLOSED)
        for listener in listeners[CLOSED:]:
            listener.transport.abort()
        await until(lambda: descriptors(pid) <= base_files)
        print(
            f"{kind:9} {CONNECTIONS} connections in {connected_s:.1f} s, {each_kib:.1f} KiB each; told of a change: "
            f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms; descriptors beside "
            f"those open after {CLOSED} abrupt closes: {after_closes} of {base_files}, after all: {descriptors(pid)}",
            flush=True,
        )


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Supervisor() as supervisor:
            home = Path(folder)
            database = await start_postgres(supervisor, home / "pg", password=SECRET, port=free_port())
            valkey = await start_valkey(supervisor, home / "valkey", password=SECRET, port=free_port())
            await migrate(database)
            environ = {
                "HAULIER_DATABASE_URL": database.reveal(),
                "HAULIER_REDIS_URL": valkey.reveal(),
                "HAULIER_STORAGE_URL": f"file://{home}/store",
                "HAULIER_JWT_SECRET": SECRET.reveal(),
                "HAULIER_LOG_LEVEL": "warning",
            }
            prefix = load({}).redis_prefix
            async with (
                open_ledger(database) as ledger,
                open_announcements(valkey, prefix=prefix) as announcements,
                announcements.running(),
            ):
                file_id = 70_000
                for _ in range(ROUNDS):
                    for kind in sys.argv[2:] or ("sse", "websocket"):
                        file_id += 1
                        await measure(kind, environ, ledger, announcements, file_id)


if __name__ == "__main__":
    asyncio.run(main())
