"""A worker whose ledger is away for a moment: what it was given it claims later, and what runs goes on."""

import asyncio

import msgspec
import pytest

from haulier.errors import LedgerUnavailable, SourceUnavailable
from haulier.job import Status
from haulier.ledger import Attempts
from haulier.settings import Secret
from tests.faults.proxy import proxy_before
from tests.integration.house import stream, worker
from tests.waiting import eventually


@pytest.fixture
async def database(database_url):
    async with proxy_before(database_url.reveal()) as link:
        yield link


@pytest.fixture
def settings(settings, database):
    """The worker reaches PostgreSQL through a proxy; the test goes straight to it."""
    return msgspec.structs.replace(settings, database_url=Secret(database.url_for(settings.database_url.reveal())))


async def attempts(connection, job):
    rows = await connection.fetch("select outcome from attempts where job_id = $1 order by number", job.id)
    return [row["outcome"] for row in rows]


async def file(_build):
    return stream(b"x")


async def test_a_claim_waits_for_the_ledger(settings, ledger, connection, monkeypatch):
    claim, claims = Attempts.claim, []

    async def away_once(self, handed, **fields):
        claims.append(handed)
        if len(claims) == 1:
            raise LedgerUnavailable
        return await claim(self, handed, **fields)

    monkeypatch.setattr(Attempts, "claim", away_once)
    async with worker(settings, ledger, file) as house:
        job = await house.submit()
        await house.until(job, Status.COMPLETED)
    assert claims == [claims[0]] * 2  # one hand-over did, it was not dropped
    assert await attempts(connection, job) == ["completed"]


async def test_a_claim_whose_answer_was_lost_is_run_and_not_left_to_its_lease(
    settings, ledger, connection, monkeypatch
):
    claim, losses = Attempts.claim, iter(range(1))

    async def unheard(self, handed, **fields):
        attempt = await claim(self, handed, **fields)
        if next(losses, None) is not None:
            raise LedgerUnavailable
        return attempt

    monkeypatch.setattr(Attempts, "claim", unheard)
    async with worker(settings, ledger, file) as house:
        job = await house.submit()
        await house.until(job, Status.COMPLETED)
    assert await attempts(connection, job) == ["completed"]


async def test_an_attempt_goes_on_when_its_checkpoint_cannot_be_saved(settings, ledger, connection, database):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def prepare(build):
        started.set()
        await go_on.wait()
        await build.save({"done": 1})
        return stream(b"x")

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await started.wait()
        with database.refusing():
            go_on.set()
            await eventually(lambda: house.artefacts())
        await house.until(job, Status.COMPLETED)
    assert await attempts(connection, job) == ["completed"]


async def test_a_checkpoint_that_could_not_be_saved_is_there_for_the_next_attempt(settings, ledger, database, at):
    started, go_on, tried = asyncio.Event(), asyncio.Event(), asyncio.Event()
    found = []

    async def prepare(build):
        found.append(build.checkpoint)
        if len(found) > 1:
            return stream(b"x")
        started.set()
        await go_on.wait()
        await build.save({"done": 1})
        tried.set()
        raise SourceUnavailable(name="source", reason="test")

    async with worker(settings, ledger, prepare) as house:
        job = await house.submit()
        await started.wait()
        with database.refusing():
            go_on.set()
            await tried.wait()
        await house.until_backing_off(job)
        await at(minutes=1)
        await house.until(job, Status.COMPLETED)
    assert found == [None, {"done": 1}]
