"""Real PostgreSQL and Valkey for tests, each in a folder of its own, ended with the block or with the test process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.embedded.valkey import start_valkey
from haulier.settings import Secret

PASSWORD = Secret("a-password-for-tests")


@asynccontextmanager
async def running_postgres(folder: Path) -> AsyncGenerator[str]:
    """The URL of an empty database; about 1 s. Without fsync, which matters at power loss only."""
    async with Supervisor() as supervisor:
        url = await start_postgres(
            supervisor, folder, password=PASSWORD, port=free_port(), settings={"fsync": "off"}, grace_s=5
        )
        yield url.reveal()


@asynccontextmanager
async def running_valkey(folder: Path) -> AsyncGenerator[str]:
    """The URL of an empty Valkey; about 0.1 s."""
    async with Supervisor() as supervisor:
        url = await start_valkey(supervisor, folder, password=PASSWORD, port=free_port())
        yield url.reveal()
