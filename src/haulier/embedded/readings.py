"""A database for the demo's query: readings of weather stations, and a role that may read these and nothing else."""

import secrets
from urllib.parse import urlsplit

import asyncpg

from haulier.embedded.sample import STATIONS
from haulier.settings import Secret

DATABASE = "demo"
ROLE = "demo_reader"
READINGS = 250_000
TIMEOUT_S = 60

_TABLE = f"""
create table readings (
    id integer primary key,
    station text not null,
    measured_at timestamptz not null,
    temperature_c numeric(5, 2) not null
);
grant select on readings to {ROLE};
"""
_ROWS = """
insert into readings
select n, ($1::text[])[1 + n % $2], timestamptz '2026-01-01Z' + n / $2 * interval '10 minutes',
  12 + 8 * sin(n / 5000.0) + n * 7919 % 300 / 100.0
from generate_series(0, $3 - 1) as n
"""


async def readings_database(administrator: Secret) -> Secret:
    """The reader's URL. What is there from an earlier start stays; the reader gets a new password each time."""
    password = secrets.token_urlsafe(24)
    server = await asyncpg.connect(administrator.reveal(), timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        if not await server.fetchval("select true from pg_database where datname = $1", DATABASE):
            await server.execute(f"create database {DATABASE}")
        if not await server.fetchval("select true from pg_roles where rolname = $1", ROLE):
            await server.execute(f"create role {ROLE}")
        # A password cannot be bound here; this one has nothing but letters, digits, - and _.
        await server.execute(f"alter role {ROLE} login password '{password}'")
    finally:
        await server.close()
    parts = urlsplit(administrator.reveal())
    await _fill(Secret(parts._replace(path=f"/{DATABASE}").geturl()))
    address = parts.netloc.rpartition("@")[2]
    return Secret(f"postgresql://{ROLE}:{password}@{address}/{DATABASE}")


async def _fill(administrator: Secret) -> None:
    demo = await asyncpg.connect(administrator.reveal(), timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        if await demo.fetchval("select to_regclass('readings') is null"):
            async with demo.transaction():
                await demo.execute(_TABLE)
                await demo.execute(_ROWS, list(STATIONS), len(STATIONS), READINGS)
            await demo.execute("analyze readings")
    finally:
        await demo.close()
