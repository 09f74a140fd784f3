"""A fleet whose PostgreSQL and Valkey a test can stop, kill, lose and restore, each behind a fault proxy.

The processes reach the servers through the proxies; the test and its oracle go straight to PostgreSQL.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.ledger import migrate
from haulier.settings import Secret
from tests.faults.fleet import Fleet
from tests.faults.oracle import Oracle
from tests.faults.proxy import Proxy, proxy_before
from tests.integration.engine_steps import Valkey
from tests.servers import PASSWORD
from tests.waiting import eventually

ANSWER_S = 2  # no request waits longer, whatever is away
BUSY_AGAIN_S = 10


class Postgres:
    """A PostgreSQL on a port of its own. Killed, its supervisor starts it again after half a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._supervisor: Supervisor | None = None

    async def start(self) -> Secret:
        """Start it and answer its URL once it takes connections."""
        self._supervisor = await Supervisor().__aenter__()
        return await start_postgres(
            self._supervisor,
            self._folder,
            password=PASSWORD,
            port=self._port,
            settings={"fsync": "off", "shared_buffers": "16MB"},
            grace_s=5,
        )

    async def stop(self) -> None:
        """A fast shutdown: sessions are ended, everything is written."""
        if self._supervisor is not None:
            await self._supervisor.__aexit__(None, None, None)
            self._supervisor = None

    def kill(self) -> None:
        """kill -9 of the postmaster."""
        os.kill(self._pid, signal.SIGKILL)

    @property
    def _pid(self) -> int:
        return int((self._folder / "postgres" / "postmaster.pid").read_text().split()[0])


class Copies:
    """Copies of a stopped Valkey's data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = folder.with_name("valkey.copy")

    def keep(self) -> None:
        """Copy the data as it is."""
        shutil.copytree(self._folder, self._kept)

    def restore(self) -> None:
        """Put the copy in the data's place."""
        shutil.rmtree(self._folder)
        self._kept.rename(self._folder)


class Outages:
    """The fleet and what can be done to its servers."""

    def __init__(self, house: Fleet, *, postgres: Postgres, valkey: Valkey, database: Proxy, redis: Proxy) -> None:
        self.house = house
        self.postgres = postgres
        self.valkey = valkey
        self.database = database
        self.redis = redis
        self.copies = Copies(house.home / "valkey")

    async def processing(self, count: int = 1) -> None:
        """Wait until so many attempts run."""
        async with self.house.connection() as connection:
            query = "select count(*) >= $1 from jobs where status = 'processing'"
            await eventually(lambda: connection.fetchval(query, count), within_s=30)

    async def over(self, count: int) -> None:
        """Wait until so many jobs are over."""
        async with self.house.connection() as connection:
            query = "select count(*) >= $1 from jobs where completed_at is not null"
            await eventually(lambda: connection.fetchval(query, count), within_s=60)

    async def postgres_answers(self) -> None:
        """Wait until PostgreSQL takes connections."""

        async def answers() -> bool:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with self.house.connection():
                    return True
            return False

        await eventually(answers, within_s=60)

    async def busy_s(self) -> float:
        """Seconds until a worker has claimed a job from now on, by the ledger's clock."""
        began = time.monotonic()
        async with self.house.connection() as connection:
            since = await connection.fetchval("select haulier_now()")
            query = "select exists (select from attempts where started_at > $1)"
            await eventually(lambda: connection.fetchval(query, since), within_s=60)
        return time.monotonic() - began

    def assert_nobody_restarted(self) -> None:
        """All processes that were started still run."""
        for process in self.house.started:
            assert process.alive, process.log.read_text()[-3_000:]


class Load:
    """Asks for files one after the other through an outage, and for the status of what was accepted."""

    def __init__(self, oracle: Oracle, *, first: int, every_s: float = 0.1) -> None:
        self._oracle = oracle
        self._next = first
        self._every_s = every_s
        self._last: str | None = None
        self.untold = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Load"]:
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()

    async def _run(self) -> None:
        while True:
            self._last = await self._oracle.submit(self._next, once=True) or self._last
            self._next += 1
            if self._last is not None:
                answer = await self._oracle.call("GET", f"/v1/download/status/{self._last}", once=True)
                self.untold += answer.status_code != 200
            await asyncio.sleep(self._every_s)


async def judged(broken: Outages, oracle: Oracle, note: Callable[..., None], fault: str, *, recovery_s: float) -> None:
    """Note the verdict: everything completed, and nobody had to be restarted for it."""
    verdict = await oracle.verdict()
    note(fault, [verdict], recovery_s=[recovery_s])
    verdict.assert_clean()
    assert verdict.completed == verdict.jobs
    broken.assert_nobody_restarted()


@asynccontextmanager
async def outages(
    home: Path,
    *,
    workers: int = 1,
    slots: int = 4,
    postgres_home: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncGenerator[Outages]:
    """One API and `workers` workers over servers of the test's own; `environ` is added to the processes' settings."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  a folder for a test
    postgres, valkey = Postgres(postgres_home or home), Valkey(home / "valkey")
    try:
        database_url = await postgres.start()
        await valkey.start()
        await migrate(database_url)
        async with proxy_before(database_url.reveal()) as database, proxy_before(valkey.url.reveal()) as redis:
            house = Fleet(home, database_url=database_url, redis_url=valkey.url, supervisor=Supervisor())
            house.env["HAULIER_DATABASE_URL"] = database.url_for(database_url.reveal())
            house.env["HAULIER_REDIS_URL"] = redis.url_for(valkey.url.reveal())
            house.env |= environ or {}
            try:
                await house.start_api()
                for _ in range(workers):
                    await house.start_worker(slots=slots)
                await house.manned(workers * slots)
                yield Outages(house, postgres=postgres, valkey=valkey, database=database, redis=redis)
            finally:
                await house.stop()
    finally:
        await valkey.close()
        await postgres.stop()
