"""Databases for tests: migrated and empty, and used again, since making one takes longer than most tests do."""

from uuid import uuid4

import asyncpg

from haulier.ledger import migrate
from haulier.settings import Secret

USES = 30  # then its tables are full of rows that were
_TEMPLATE = "template"

_TABLES = "select tablename from pg_tables where schemaname = 'public' and tablename <> 'haulier_migrations'"
_SHAPE = """
select md5(string_agg(line, '|' order by line)) from (
    select concat(proname, md5(prosrc)) as line from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select concat(tgrelid::regclass, tgname, tgenabled) from pg_trigger where not tgisinternal
    union all
    select concat(attrelid::regclass, attname, atttypid, attnotnull, attnum)
    from pg_attribute join pg_class on pg_class.oid = attrelid where relnamespace = 'public'::regnamespace
    union all
    select concat(conrelid::regclass, conname) from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select concat('setting', setrole, setconfig)
    from pg_db_role_setting join pg_database on pg_database.oid = setdatabase where datname = current_database()
) lines
"""


class Databases:
    """One test process's, on the server at `url`, which is an administrator's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._shape = ""
        self._empty = ""
        self._free: list[str] = []
        self._uses: dict[str, int] = {}

    async def prepare(self) -> None:
        """Make the database that the others are copies of."""
        await self._administer(f"create database {_TEMPLATE}")
        await migrate(Secret(self.url_of(_TEMPLATE)))
        connection = await asyncpg.connect(self.url_of(_TEMPLATE))
        self._shape = await connection.fetchval(_SHAPE)
        # Migrations fill some tables: their rows are kept beside them.
        tables = [row["tablename"] for row in await connection.fetch(_TABLES)]
        filled = [table for table in tables if await connection.fetchval(f"select exists (select from {table})")]
        await connection.execute("create schema filled")
        for table in filled:
            await connection.execute(f"create table filled.{table} as table {table}")
        await connection.close()
        self._empty = "; ".join(
            [
                "set session_replication_role = replica",  # no triggers, and no order among tables
                *(f"delete from {table}" for table in tables),
                *(f"insert into {table} table filled.{table}" for table in filled),
            ]
        )

    async def take(self) -> str:
        """The name of a database that nobody else uses."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid4().hex[:12]}"
        await self._administer(f"create database {name} template {_TEMPLATE} strategy file_copy")
        return name

    async def give_back(self, name: str) -> None:
        """End what is still connected to it, and empty it. One that has another shape than it had is dropped."""
        connection = await asyncpg.connect(self.url_of(name))
        try:
            await connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            uses = self._uses[name] = self._uses.get(name, 0) + 1
            is_as_it_was = uses < USES and await connection.fetchval(_SHAPE) == self._shape
            if is_as_it_was:
                await connection.execute(self._empty)
        finally:
            await connection.close()
        if is_as_it_was:
            self._free.append(name)
        else:
            await self._administer(f"drop database {name} with (force)")

    def url_of(self, name: str) -> str:
        return f"{self._url.rpartition('/')[0]}/{name}"

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url)
        await connection.execute(statement)
        await connection.close()
