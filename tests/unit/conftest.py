"""Fixtures of tests of the client and of the program: an API on loopback, and runs against it."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.loopback import Loopback, loopback
from tests.programs import Done, Run, start

ENDED_S = 20


@pytest.fixture
async def server() -> AsyncGenerator[Loopback]:
    """An API that answers nothing yet."""
    async with loopback() as running:
        yield running


@pytest.fixture
def run(api: Loopback, tmp_path: Path) -> Run:
    """`await run("get", "70000")`: `haulier` against the test's `api`, to its end."""

    async def run_(*args: str, **env: str) -> Done:
        process = await start(api, tmp_path, *args, **env)
        out, err = await asyncio.wait_for(process.communicate(), ENDED_S)
        return Done(process.returncode or 0, out, err.decode())

    return run_
