"""The engine of a test, on the test process's Valkey, or on a Valkey that the test may stop and lose."""

import pytest

from haulier.engine import Engine, Runner
from haulier.settings import Secret
from tests.integration.engine_steps import Look, Valkey, opened


@pytest.fixture
async def valkey(tmp_path):
    """A Valkey for this test alone."""
    valkey = Valkey(tmp_path / "valkey")
    await valkey.start()
    yield valkey
    await valkey.close()


@pytest.fixture
def engine_url(valkey_url):
    """Where the engine is; a test that stops it says `valkey.url`."""
    return Secret(valkey_url)


@pytest.fixture
async def engine(engine_url, redis_prefix):
    async with Engine.open(engine_url, prefix=redis_prefix) as engine:
        yield engine


@pytest.fixture
async def look(engine_url, redis_prefix):
    async with opened(engine_url) as client:
        yield Look(client, prefix=redis_prefix)


@pytest.fixture
def run(engine_url, redis_prefix):
    """`async with run(handle) as runner`: a runner on the test's own queue."""

    def open_runner(handle, *, slots=4, lease_s=15, lost=lambda _: None):
        return Runner.open(
            engine_url, prefix=redis_prefix, name="test", slots=slots, lease_s=lease_s, handle=handle, lost=lost
        )

    return open_runner
