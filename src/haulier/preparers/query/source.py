"""One read-only snapshot of a database: a connection of its own, the query's columns, its estimate and its cursor."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from haulier.preparers.query.columns import Column
from haulier.preparers.query.failures import translated

CONNECT_TIMEOUT_S = 10
CLOSE_TIMEOUT_S = 5
# What the server may take beyond its own timeout before we believe that it is gone.
MARGIN_S = 10.0
# For the transaction only, so that a pooler in between can reuse its connections. They decide over bytes, too: nothing
# that a database or a role has set may change the text of a value.
SESSION = {
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "300s",
    "client_connection_check_interval": "10s",  # ends a running query whose worker was killed
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
}
# Versions before 14 lack one of them; PostgreSQL writes some in mixed case.
_SET = """
select set_config(known.name, wanted.value, true)
from unnest($1::text[], $2::text[]) as wanted (name, value) join pg_settings as known on lower(known.name) = wanted.name
"""


class Snapshot:
    """What `open_snapshot` gives. Every method raises what `failures.translated` lists."""

    def __init__(self, connection: asyncpg.Connection, *, timeout_s: float) -> None:
        self._connection = connection
        self._limit_s = timeout_s
        self._timeout_s = timeout_s + MARGIN_S
        self._cursor: Any = None

    async def describe(self, sql: str) -> tuple[Column, ...]:
        """The columns of the result, as the server names them."""
        with translated(limit_s=self._limit_s):
            prepared = await self._connection.prepare(sql, timeout=self._timeout_s)
            return tuple(Column(one.name, one.type.name) for one in prepared.get_attributes())

    async def estimate(self, sql: str, arguments: Sequence[Any]) -> int:
        """How many rows the planner expects."""
        with translated(limit_s=self._limit_s):
            plan: Any = await self._connection.fetchval(
                f"explain (format json) {sql}", *arguments, timeout=self._timeout_s
            )
        return int(msgspec.json.decode(plan)[0]["Plan"]["Plan Rows"])

    async def start(self, sql: str, arguments: Sequence[Any]) -> None:
        """Open the cursor."""
        with translated(limit_s=self._limit_s):
            prepared = await self._connection.prepare(sql, timeout=self._timeout_s)
            self._cursor = await prepared.cursor(*arguments, timeout=self._timeout_s)

    async def fetch(self, rows: int) -> list[Sequence[Any]]:
        """The next rows; fewer than `rows` at the end."""
        with translated(limit_s=self._limit_s):
            return await self._cursor.fetch(rows, timeout=self._timeout_s)


@asynccontextmanager
async def open_snapshot(url: str, *, timeout_s: float) -> AsyncGenerator[Snapshot]:
    """A read-only, repeatable-read transaction on a connection of its own; `timeout_s` for each statement.

    Leaving the block cancels what runs and ends the connection, within CLOSE_TIMEOUT_S.
    """
    with translated(limit_s=timeout_s):
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=timeout_s + MARGIN_S,
            statement_cache_size=0,
            server_settings={"application_name": "haulier query"},
        )
    try:
        with translated(limit_s=timeout_s):
            await connection.transaction(isolation="repeatable_read", readonly=True).start()
            chosen = SESSION | {"statement_timeout": str(max(1, round(timeout_s * 1000)))}
            await connection.fetch(_SET, list(chosen), list(chosen.values()))
        yield Snapshot(connection, timeout_s=timeout_s)
    finally:
        await _close(connection)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=CLOSE_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pass  # it is gone either way
    finally:
        connection.terminate()
