"""Fixtures: real servers (one PostgreSQL and one Valkey for each test process, a database for each test; one S3), and
the API. A module that imports a server's fixture by itself starts another one.

Nothing starts for a test that asks for none of them.
"""

import signal
from datetime import timedelta
from uuid import uuid4

import asyncpg
import httpx
import hypothesis
import pytest
import pytest_asyncio

from haulier.api.app import create_app
from haulier.api.services import open_services
from haulier.ledger import open_ledger
from haulier.settings import Secret, load
from tests.api_client import ApiClient
from tests.clocks import later_by
from tests.databases import Databases
from tests.s3 import s3_credentials, s3_server
from tests.servers import running_postgres, running_valkey

__all__ = ["s3_credentials", "s3_server"]  # fixtures

# A shell's background job ignores SIGINT, and one under nohup SIGHUP: programs that tests start would inherit that.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

# An example that takes long says something of the machine, not of the code.
hypothesis.settings.register_profile("haulier", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("haulier")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_url(tmp_path_factory):
    """An administrator's URL of the test process's PostgreSQL."""
    async with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(postgres_url):
    databases = Databases(postgres_url)
    await databases.prepare()
    return databases


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_url(tmp_path_factory):
    """The test process's Valkey."""
    async with running_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
async def database_url(databases):
    """A migrated database of the test's own."""
    name = await databases.take()
    yield Secret(databases.url_of(name))
    await databases.give_back(name)


@pytest.fixture
def redis_prefix():
    """A prefix of the test's own."""
    return f"{{test-{uuid4().hex[:12]}}}"


@pytest.fixture
async def connection(database_url):
    """A plain connection, to look behind the ledger."""
    connection = await asyncpg.connect(database_url.reveal())
    yield connection
    await connection.close()


@pytest.fixture
async def ledger(database_url):
    async with open_ledger(database_url) as ledger:
        yield ledger


@pytest.fixture
def at(connection):
    """`await at(minutes=5)`: for this test's database it is five minutes later than it is."""

    async def move(**later: float) -> None:
        await connection.execute(later_by(timedelta(**later).total_seconds()))

    return move


@pytest.fixture
def settings(database_url, valkey_url, redis_prefix, tmp_path):
    """Settings of an installation of the test's own, with a folder store and quick leases."""
    return load(
        {},
        database_url=database_url,
        redis_url=valkey_url,
        redis_prefix=redis_prefix,
        storage_url=f"file://{tmp_path}/store",
        jwt_secret="a-secret-for-tests-a-secret-for-tests",
        lease_s=3,
        grace_s=0.2,
        concurrency=4,
        fetch_allow_private=True,
    )


@pytest.fixture
async def services(settings):
    """The API's services over the test's own installation."""
    async with open_services(settings) as services:
        yield services


@pytest.fixture
async def api(services):
    """A client of the application, without a network in between."""
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
        yield ApiClient(http, secret=services.settings.jwt_secret)
