"""The engine of a test, on the test process's Valkey, or on a Valkey that the test may stop and lose; a patient API."""

import pytest

from haulier.engine import Engine, Runner
from haulier.settings import Secret
from tests.integration.engine_steps import Look, Valkey, opened

PATIENCE_S = 20


@pytest.fixture(autouse=True)
def answer_s(monkeypatch):
    """How long APIs of a test wait for PostgreSQL: longer than a busy machine stands still. Tests about silence have a
    fixture of this name that keeps to ANSWER_S."""
    for module in ("services", "places", "checking", "health", "live.tickets"):
        monkeypatch.setattr(f"haulier.api.{module}.ANSWER_S", PATIENCE_S)
    return PATIENCE_S


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
