"""The connection pool, and the translation of PostgreSQL's failures into ours."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg
import msgspec

from haulier.clock import SYSTEM_CLOCK
from haulier.errors import LedgerUnavailable
from haulier.ledger.patience import Patience
from haulier.ledger.queryfile import Connection
from haulier.settings import Secret

ACQUIRE_TIMEOUT_S = 2
COMMAND_TIMEOUT_S = 10.0
RETRIES_AFTER_CONFLICT = 3

# The server is away, shutting down, full or out of connections: the statement did not count, or nobody knows.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a primary that is being replaced
    asyncpg.UndefinedTableError,  # not migrated yet: `haulier doctor` says so
)
# The server rolled back and asks to try again: safe for every statement.
_CONFLICT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """A pool of connections. Every call either answers, raises LedgerUnavailable, or shows a defect of ours."""

    def __init__(self, pool: asyncpg.Pool, *, patience: Patience) -> None:
        self._pool = pool
        self._patience = patience

    def aside(self) -> "Database":
        """The same pool for calls that nobody waits for: while one of them hangs, others are still tried."""
        return Database(self._pool, patience=self._patience.another())

    async def run(
        self, query: Callable[Concatenate[Connection, P], Awaitable[T]], /, *args: P.args, **values: P.kwargs
    ) -> T:
        """Run one query in a transaction of its own; conflicts are retried, failures of the server translated."""
        async with self._patience.asking():
            for _ in range(RETRIES_AFTER_CONFLICT):
                try:
                    return await self._once(query, *args, **values)
                except _CONFLICT:
                    await asyncio.sleep(0)
            return await self._once(query, *args, **values)

    async def _once(
        self, query: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **values: P.kwargs
    ) -> T:
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        except _AWAY as error:
            raise LedgerUnavailable from error
        try:
            return await query(connection, *args, **values)
        except (TimeoutError, asyncio.CancelledError) as error:
            # Given back, it would be kept until the server confirms the cancel: a silent one never does.
            connection.terminate()
            if isinstance(error, TimeoutError):
                raise LedgerUnavailable from error
            raise
        except _AWAY as error:
            raise LedgerUnavailable from error
        finally:
            await self._release(connection)

    async def _release(self, connection: Any) -> None:
        try:
            await self._pool.release(connection, timeout=ACQUIRE_TIMEOUT_S)
        except _AWAY:
            connection.terminate()


async def _keep(_connection: asyncpg.Connection) -> None:
    """Nothing to reset: each call is one statement that leaves no session state, so its round trip is saved."""


def _encode_jsonb(value: Any) -> bytes:
    return b"\x01" + msgspec.json.encode(value)  # the version byte of jsonb's binary form


def _decode_jsonb(raw: bytes) -> Any:
    return msgspec.json.decode(raw[1:])


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_encode_jsonb,
        decoder=_decode_jsonb,
        format="binary",
    )


@asynccontextmanager
async def open_database(url: Secret, *, connections: int, answer_s: float | None = None) -> AsyncGenerator[Database]:
    """A pool that connects when it is first used, so that a server that is away does not stop a start.

    With `answer_s` no call takes longer, waiting for a connection included; without, a statement has COMMAND_TIMEOUT_S.
    """
    pool = await asyncpg.create_pool(
        url.reveal(),
        min_size=0,
        max_size=connections,
        timeout=ACQUIRE_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        init=_prepare,
        reset=_keep,
        server_settings={"application_name": "haulier"},
    )
    try:
        yield Database(pool, patience=Patience(answer_s, clock=SYSTEM_CLOCK))
    finally:
        try:
            await asyncio.wait_for(pool.close(), ACQUIRE_TIMEOUT_S)
        except _AWAY:
            pool.terminate()
