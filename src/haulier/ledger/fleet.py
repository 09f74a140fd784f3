"""Who works, and who leads: the table of workers and the dispatchers' lock."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from haulier.errors import LedgerUnavailable
from haulier.ledger.database import ACQUIRE_TIMEOUT_S, Database
from haulier.ledger.queryfile import Exec, One, QueryFile
from haulier.settings import Secret

_LEADER_LOCK = 0x68617502
SILENCE_MS = 5_000  # a leader that does not speak for this long leads no more


class WorkerQueries(QueryFile, file="workers.sql"):
    announce_worker: Exec
    dismiss_worker: Exec
    sweep_workers: Exec
    lead: One


class Workers:
    """The workers that are alive; the engine's window follows their slots."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, name: str, *, slots: int) -> None:
        """Say that `name` takes jobs; to be repeated at least every 10 s (it is forgotten after 30 s)."""
        await self._database.run(WorkerQueries.announce_worker, name=name, slots=slots)

    async def dismiss(self, name: str) -> None:
        """Say that `name` takes no more jobs."""
        await self._database.run(WorkerQueries.dismiss_worker, name=name)

    async def sweep(self) -> None:
        """Forget workers long gone."""
        await self._database.run(WorkerQueries.sweep_workers)


class Leadership:
    """One leader among all dispatchers: a PostgreSQL advisory lock that lives and dies with its connection.

    The server ends the connection when the leader is silent (`idle_session_timeout`, PostgreSQL 14): a process that
    hangs or is stopped holds no lock. `held` is to be called at least every second or two.
    """

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self.server_age_s = 0.0  # for how long PostgreSQL had run when we last asked for the lead

    async def held(self) -> bool:
        """Try to be, or to stay, the leader; False when another process is. Raises LedgerUnavailable."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(
                    self._url.reveal(),
                    timeout=ACQUIRE_TIMEOUT_S,
                    command_timeout=ACQUIRE_TIMEOUT_S,
                    server_settings={"application_name": "haulier", "idle_session_timeout": str(SILENCE_MS)},
                )
                return await self._try()
            await self._connection.fetchval("select 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            await self.release()
            raise LedgerUnavailable from error
        return True

    async def _try(self) -> bool:
        assert self._connection is not None
        row = await WorkerQueries.lead(self._connection, lock=_LEADER_LOCK)
        assert row is not None
        self.server_age_s = row["server_age_s"]
        if not row["leads"]:
            await self.release()
        return row["leads"]

    async def release(self) -> None:
        """Give the lead away by closing the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


@asynccontextmanager
async def leadership(url: Secret) -> AsyncGenerator[Leadership]:
    """A candidate for the lead, released at the end."""
    candidate = Leadership(url)
    try:
        yield candidate
    finally:
        await candidate.release()
