"""What several connections bring: a file of SIZE from a folder store, as fast as loopback is, and through a proxy that
gives each connection RATE bytes a second (as long links and busy stores do). One and CONNECTIONS connections are
interleaved, ROUNDS times; prints medians and their ratio.

Run: `.venv/bin/python bench/client.py`.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from installation import haulier, token, until_ready

from haulier.client import Client
from haulier.embedded.ports import free_port

SIZE = 256 * 2**20
RATE = 20 * 2**20
CONNECTIONS, ROUNDS = 4, 3


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, rate: int | None) -> None:
    """Pass bytes on, at most `rate` of them a second."""
    began, passed = time.monotonic(), 0
    try:
        while chunk := await reader.read(64 * 1_024):
            writer.write(chunk)
            await writer.drain()
            passed += len(chunk)
            if rate:
                await asyncio.sleep(max(passed / rate - (time.monotonic() - began), 0))
    except ConnectionError:
        pass
    finally:
        writer.close()


async def slow_proxy(target: int) -> tuple[asyncio.Server, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        with suppress(asyncio.CancelledError):  # the end of this program
            await asyncio.gather(pump(reader, back, rate=None), pump(there, writer, rate=RATE))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def take(url: str, token: str, folder: Path, *, connections: int) -> float:
    """Seconds of one download; the job is done already."""
    path = folder / "taken"
    async with Client(url, token=token) as client:
        job = await client.initiate(71_000)
        while job.status != "completed":
            job = await client.status(job.job_id)
        began = time.perf_counter()
        await client.save(job, path, force=True, connections=connections)
        seconds = time.perf_counter() - began
    path.unlink()
    return seconds


async def compare(name: str, url: str, token: str, folder: Path) -> None:
    one, several = [], []
    for _ in range(ROUNDS):
        one.append(await take(url, token, folder, connections=1))
        several.append(await take(url, token, folder, connections=CONNECTIONS))
    first, second = statistics.median(one), statistics.median(several)
    print(f"{name}: one connection {first:.2f} s, {CONNECTIONS} connections {second:.2f} s; ratio {second / first:.2f}")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        (home / "store/downloads").mkdir(parents=True)
        (home / "store/downloads/71000.zip").write_bytes(os.urandom(SIZE))
        port = free_port()
        # Links lead where HAULIER_PUBLIC_URL says: to the proxy in the second half.
        for name, proxied in (("loopback", False), (f"{RATE // 2**20} MiB/s a connection", True)):
            server, front = await slow_proxy(port) if proxied else (None, port)
            url = f"http://127.0.0.1:{front}"
            up = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
                haulier("up", "--home", str(home), "--port", str(port)),
                env=os.environ | {"HAULIER_PUBLIC_URL": url},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                until_ready(f"http://127.0.0.1:{port}")
                bearer = token(home, "bench")
                await compare(name, url, bearer, Path(folder))
            finally:
                up.send_signal(signal.SIGINT)
                up.wait(30)
                if server is not None:
                    server.close()


if __name__ == "__main__":
    asyncio.run(main())
