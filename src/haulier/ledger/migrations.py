"""Migrations: numbered SQL files in order, forward only, each in one transaction; functions are applied when changed.

A rolled-out file never changes: its digest is kept and compared. `functions/*.sql` are `create or replace`, applied
again whenever their text changes, after the migrations.
"""

import hashlib
from collections.abc import Iterator
from importlib import resources

import asyncpg

from haulier.errors import LedgerUnavailable, MigrationError
from haulier.settings import Secret

_LOCK = 0x68617501  # one migration at a time, whoever starts it
_TABLE = """
create table if not exists haulier_migrations (
    name text primary key, digest text not null, applied_at timestamptz not null default now()
)
"""
CONNECT_TIMEOUT_S = 5


def scripts() -> Iterator[tuple[str, str]]:
    """(name, text) of every migration and function, in the order they are applied."""
    home = resources.files("haulier.ledger")
    for folder in ("migrations", "functions"):
        for path in sorted(home.joinpath(folder).iterdir(), key=lambda entry: entry.name):
            if path.name.endswith(".sql"):
                yield f"{folder}/{path.name}", path.read_text("utf-8")


async def pending(url: Secret) -> list[str]:
    """Names of what `migrate` would apply. Raises LedgerUnavailable, or MigrationError for a foreign history."""
    connection = await _connect(url)
    try:
        exists = await connection.fetchval("select to_regclass('haulier_migrations') is not null")
        return [name for name, _, _ in _outstanding(await _applied(connection) if exists else {})]
    finally:
        await connection.close()


async def migrate(url: Secret) -> list[str]:
    """Bring the database up to date and answer the names of what was applied.

    Safe to run at the same time from several processes. Raises LedgerUnavailable or MigrationError; a failing file
    changes nothing.
    """
    connection = await _connect(url)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK, timeout=60)
        await connection.execute(_TABLE)
        done: list[str] = []
        for name, digest, text in _outstanding(await _applied(connection)):
            await _apply(connection, name, digest, text)
            done.append(name)
        return done
    finally:
        await connection.close()


async def _connect(url: Secret) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url.reveal(), timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise LedgerUnavailable from error


async def _applied(connection: asyncpg.Connection) -> dict[str, str]:
    return {row["name"]: row["digest"] for row in await connection.fetch("select name, digest from haulier_migrations")}


def _outstanding(applied: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    known = dict(scripts())
    if newer := sorted(name for name in applied if name.startswith("migrations/") and name not in known):
        raise MigrationError(reason=f"{newer[-1]} was applied by a newer Haulier; run that version.")
    for name, text in known.items():
        digest = hashlib.sha256(text.encode()).hexdigest()
        before = applied.get(name)
        if before == digest:
            continue
        if before is not None and name.startswith("migrations/"):
            raise MigrationError(reason=f"{name} was changed after it had been applied; add a new migration instead.")
        yield name, digest, text


async def _apply(connection: asyncpg.Connection, name: str, digest: str, text: str) -> None:
    try:
        async with connection.transaction():
            await connection.execute(text)
            await connection.execute(
                "insert into haulier_migrations (name, digest) values ($1, $2)"
                " on conflict (name) do update set digest = excluded.digest, applied_at = now()",
                name,
                digest,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(reason=f"{name} failed: {error.as_dict().get('message', '')}") from error
