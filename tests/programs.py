"""Running `haulier` as a program of its own against a loopback API."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.loopback import Loopback


@dataclass
class Done:
    code: int
    stdout: bytes
    stderr: str


Run = Callable[..., Awaitable[Done]]


async def start(
    api: Loopback, folder: Path, *args: str, stdout: int | IO[bytes] = asyncio.subprocess.PIPE, **env: str
) -> asyncio.subprocess.Process:
    """`haulier` with `args` in `folder`, without a terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAULIER_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "haulier",
        *args,
        cwd=folder,
        env=kept | {"HAULIER_URL": api.url, "HAULIER_TOKEN": "secret-token", "COLUMNS": "80"} | env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
