"""A fleet of real processes over real servers, for tests that break them.

async with fleet(tmp_path, workers=2) as house:
    house.workers[0].kill()
    await house.start_worker(at=["claimed=kill:1"])
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import redis.asyncio

from haulier.api.auth import mint_token
from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.embedded.valkey import start_valkey
from haulier.ledger import migrate
from haulier.settings import Secret
from tests.acceptance.installation import clean_environment
from tests.clocks import later_by
from tests.faults.preparers import catalogue, released
from tests.servers import PASSWORD
from tests.waiting import eventually

JWT_SECRET = Secret("a-secret-for-tests-a-secret-for-tests")
LEASE_S = 3
DEFAULT_LEASE_S = "15"  # where no worker dies: it outlives the pauses of a busy machine
ROOT = Path(__file__).parents[2]


class Process:
    """One API or worker process."""

    def __init__(self, child: asyncio.subprocess.Process, log: Path, port: int = 0) -> None:
        self._child = child
        self.log = log
        self.port = port

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.returncode is None

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.send(signal.SIGKILL)

    async def ended(self, within_s: float = 60) -> int:
        """The exit code, once the process has ended."""
        return await asyncio.wait_for(self._child.wait(), within_s)

    async def ready(self) -> None:
        """Wait until the worker takes jobs."""
        await eventually(lambda: '"worker_ready"' in self.log.read_text(), within_s=60)

    async def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.send(signal.SIGTERM)
        return await self.ended()


class Fleet:
    """What tests do with the processes. `env` is what all of them get; one may get other settings when it starts."""

    def __init__(self, home: Path, *, database_url: Secret, redis_url: Secret, supervisor: Supervisor) -> None:
        self.home = home
        self.database_url = database_url
        self.redis_url = redis_url
        self.supervisor = supervisor  # starts PostgreSQL and Valkey again when they die
        self.diary = home / "diary"
        self.store = home / "store"
        self.apis: list[Process] = []
        self.workers: list[Process] = []
        self.started: list[Process] = []
        self.diary.touch()
        (home / "catalogue.toml").write_text(catalogue(self.diary))
        self.env = {
            "HAULIER_DATABASE_URL": database_url.reveal(),
            "HAULIER_REDIS_URL": redis_url.reveal(),
            "HAULIER_STORAGE_URL": f"file://{self.store}",
            "HAULIER_JWT_SECRET": JWT_SECRET.reveal(),
            "HAULIER_CATALOGUE": str(home / "catalogue.toml"),
            "HAULIER_LEASE_S": str(LEASE_S),
            "HAULIER_GRACE_S": "0.5",
            "HAULIER_LOG_FORMAT": "json",
            "HAULIER_LIMITS_FREE": "rate=unlimited,quota=unlimited,running=unlimited",
        }

    async def start_worker(self, *, slots: int = 4, at: Sequence[str] = (), **settings: str) -> Process:
        """A worker that takes jobs, with failpoints like `claimed=kill:1`. Settings are whole HAULIER_ names."""
        process = await self._start(["worker", "--concurrency", str(slots)], at, settings)
        self.workers.append(process)
        return process

    async def start_api(self, *, at: Sequence[str] = (), port: int | None = None, **settings: str) -> Process:
        """An API on a port of its own (or on the port of a predecessor) that answers."""
        port = port or free_port()
        process = await self._start(["api", "--port", str(port)], at, settings, port=port)
        self.apis.append(process)
        async with httpx.AsyncClient() as http:

            async def answers() -> bool:
                assert process.alive, process.log.read_text()[-2_000:]
                with suppress(httpx.HTTPError):
                    return (await http.get(f"http://127.0.0.1:{port}/health")).status_code == 200
                return False

            await eventually(answers)
        return process

    async def _start(self, words: list[str], at: Sequence[str], settings: dict[str, str], *, port: int = 0) -> Process:
        orders = [word for order in at for word in ("--at", order)]
        log = self.home / f"{words[0]}-{len(self.started)}.log"
        with log.open("wb") as output:
            child = await asyncio.create_subprocess_exec(
                *(
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    sys.executable,
                    "-m",
                    "tests.faults.process",
                    *orders,
                    "--",
                    *words,
                ),
                env=clean_environment(**(self.env | settings)),
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        process = Process(child, log, port)
        self.started.append(process)
        return process

    async def manned(self, slots: int = 1) -> None:
        """Wait until workers with this many slots are alive."""
        async with self.connection() as connection:
            await eventually(lambda: connection.fetchval("select fleet_slots() >= $1", slots), within_s=30)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[asyncpg.Connection]:
        """A plain connection, to look behind the ledger."""
        connection = await asyncpg.connect(self.database_url.reveal())
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def redis(self) -> AsyncGenerator["redis.asyncio.Redis"]:
        client = redis.asyncio.from_url(self.redis_url.reveal())
        try:
            yield client
        finally:
            await client.aclose()

    def release(self) -> None:
        """Let HELD jobs end."""
        released(self.diary).touch()

    def token(self, user: str, role: str = "free") -> str:
        return mint_token(JWT_SECRET, user=user, role=role, ttl_s=7_200, now=datetime.now(UTC))

    async def later(self, seconds: int) -> None:
        """Move the ledger's clock."""
        async with self.connection() as connection:
            await connection.execute(later_by(seconds))

    async def at_noon(self) -> None:
        """Move the ledger's clock to noon (UTC): no day ends while the test runs."""
        await self.later((43_200 - int(time.time())) % 86_400)

    @asynccontextmanager
    async def api_of(self, user: str, **settings: str) -> AsyncGenerator[httpx.AsyncClient]:
        """An API process with these settings, and a client of it that speaks for `user`."""
        process = await self.start_api(**settings)
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", headers=headers) as http:
            yield http

    async def stop(self) -> None:
        """End everything, the hard way."""
        for process in self.started:
            if process.alive:
                process.send(signal.SIGCONT)
                process.kill()
        for process in self.started:
            await process.ended()


@asynccontextmanager
async def fleet(home: Path, *, workers: int = 1, apis: int = 1, slots: int = 4) -> AsyncGenerator[Fleet]:
    """Servers, `apis` API processes and `workers` workers, running; all of them end with the block."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  a folder for a test
    async with Supervisor() as supervisor:
        database_url = await start_postgres(
            supervisor, home, password=PASSWORD, port=free_port(), settings={"fsync": "off"}, grace_s=5
        )
        redis_url = await start_valkey(supervisor, home, password=PASSWORD, port=free_port())
        await migrate(database_url)
        house = Fleet(home, database_url=database_url, redis_url=redis_url, supervisor=supervisor)
        try:
            for _ in range(apis):
                await house.start_api()
            for _ in range(workers):
                await house.start_worker(slots=slots)
            if workers:
                await house.manned(workers * slots)
            yield house
        finally:
            await house.stop()
