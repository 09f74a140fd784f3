"""Builds in a real worker: shared by users, gone on with by later attempts, and gone when nobody wants them."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from haulier.errors import SourceUnavailable
from haulier.job import Request, Status
from haulier.preparers import Input, Mark, Resumable
from haulier.storage.objects import PART_BYTES
from haulier.work import worker as worker_module
from tests.integration.house import worker
from tests.waiting import eventually

CHUNK = 1 << 20
CHUNKS = 2 * PART_BYTES // CHUNK + 3
CONTENT = b"".join(bytes([n]) * CHUNK for n in range(CHUNKS))


class Bakery:
    """A resumable preparer of CONTENT that counts what it makes, and stops or breaks where a test says."""

    def __init__(self) -> None:
        self.etag = '"1"'
        self.made: list[int] = []
        self.opened = 0
        self.breaks_at: int | None = None
        self.waits_at: int | None = None
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()

    async def prepare(self, _build) -> Resumable:
        inputs = (Input("flour", self.etag, len(CONTENT)),)
        return Resumable(file_name="bread.bin", open=self.open, inputs=inputs, size=len(CONTENT))

    async def open(self, mark: Mark | None):
        self.opened += 1
        for n in range(mark.state["next"] if mark else 0, CHUNKS):
            if n == self.breaks_at:
                self.breaks_at = None
                raise SourceUnavailable(name="flour", reason="it broke")
            if n == self.waits_at:
                self.waits_at = None
                self.waiting.set()
                await self.go_on.wait()
            self.made.append(n)
            yield CONTENT[n * CHUNK : (n + 1) * CHUNK]
            yield Mark({"next": n + 1})


@pytest.fixture
def bakery():
    return Bakery()


@pytest.fixture
def at_once(monkeypatch):
    """Retries without a backoff."""
    monkeypatch.setattr(worker_module, "backoff", lambda _used, _rng: worker_module.timedelta())


def content_of(house, job) -> bytes:
    return (house.store / job.artefact.key).read_bytes()


def files_below(folder: Path) -> list[str]:
    """While folders come and go, which `rglob` does not bear."""
    return [name for _, _, names in os.walk(folder) for name in names]


async def leader_and_follower(house, bakery, connection):
    """Two jobs for the same: the first builds and waits, the second follows it."""
    first = await house.submit(user_id="anna")
    await bakery.waiting.wait()
    second = await house.submit(user_id="bob")
    await eventually(lambda: connection.fetchval("select count(*) from jobs where following is not null"))
    return first, second


async def test_two_users_share_one_build(settings, ledger, bakery, connection):
    bakery.waits_at = 5
    async with worker(settings, ledger, bakery.prepare) as house:
        first, second = await leader_and_follower(house, bakery, connection)
        bakery.go_on.set()
        one, other = await house.until(first, Status.COMPLETED), await house.until(second, Status.COMPLETED)
    assert bakery.opened == 1
    assert one.artefact == other.artefact
    assert content_of(house, one) == CONTENT
    assert one.artefact.sha256 == hashlib.sha256(CONTENT).hexdigest()
    trails = await connection.fetch("select job_id, count(*) from job_events group by job_id")
    assert len(trails) == 2
    assert await connection.fetchval("select count(*) from provenance") == 2


async def test_cancelling_the_builder_does_not_cancel_who_shares_the_build(settings, ledger, bakery, connection):
    bakery.waits_at = CHUNKS - 1
    async with worker(settings, ledger, bakery.prepare) as house:
        first, second = await leader_and_follower(house, bakery, connection)
        await ledger.attempts.cancel(first.id, user_id="anna")
        other = await house.until(second, Status.COMPLETED)
        assert (await ledger.jobs.get(first.id)).status is Status.CANCELLED
    assert content_of(house, other) == CONTENT
    assert house.artefacts() == [other.artefact.key]


async def test_a_builder_that_does_not_hear_of_its_cancel_spoils_nothing(settings, ledger, bakery):
    bakery.waits_at = CHUNKS - 1
    async with worker(settings, ledger, bakery.prepare) as house:
        first = await house.submit(user_id="anna")
        await bakery.waiting.wait()
        second = await house.submit(user_id="bob")
        await ledger.attempts.cancel(first.id, user_id="anna")
        bakery.go_on.set()
        other = await house.until(second, Status.COMPLETED)
    assert content_of(house, other) == CONTENT


async def test_an_artefact_that_lives_is_taken_instead_of_building_it(settings, ledger, bakery):
    async with worker(settings, ledger, bakery.prepare) as house:
        one = await house.until(await house.submit(user_id="anna"), Status.COMPLETED)
        other = await house.until(await house.submit(user_id="bob"), Status.COMPLETED)
    assert bakery.opened == 1
    assert one.artefact == other.artefact


async def test_a_changed_source_is_built_anew(settings, ledger, bakery):
    async with worker(settings, ledger, bakery.prepare) as house:
        one = await house.until(await house.submit(user_id="anna"), Status.COMPLETED)
        bakery.etag = '"2"'
        other = await house.until(await house.submit(user_id="bob"), Status.COMPLETED)
    assert bakery.opened == 2
    assert one.artefact.key != other.artefact.key


async def test_another_request_is_another_build(settings, ledger, bakery):
    async with worker(settings, ledger, bakery.prepare) as house:
        await house.until(await house.submit(request=Request(file_id=70_001)), Status.COMPLETED)
        await house.until(await house.submit(request=Request(file_id=70_002)), Status.COMPLETED)
    assert bakery.opened == 2


async def test_an_artefact_that_the_store_lost_is_built_anew(settings, ledger, bakery):
    async with worker(settings, ledger, bakery.prepare) as house:
        one = await house.until(await house.submit(user_id="anna"), Status.COMPLETED)
        (house.store / one.artefact.key).unlink()
        other = await house.until(await house.submit(user_id="bob"), Status.COMPLETED)
        assert content_of(house, other) == CONTENT
    assert bakery.opened == 2


@pytest.mark.usefixtures("at_once")
async def test_an_attempt_goes_on_from_the_last_part_of_the_one_before(settings, ledger, bakery):
    bakery.breaks_at = CHUNKS - 1
    async with worker(settings, ledger, bakery.prepare) as house:
        job = await house.until(await house.submit(), Status.COMPLETED)
    assert job.attempt == 2
    assert content_of(house, job) == CONTENT
    assert job.artefact.sha256 == hashlib.sha256(CONTENT).hexdigest()
    made_again = len(bakery.made) - CHUNKS
    assert made_again <= 2 * PART_BYTES // CHUNK + 2
    assert made_again < CHUNKS - 1
    assert house.artefacts() == [job.artefact.key]


@pytest.mark.usefixtures("at_once")
async def test_parts_of_another_size_are_thrown_away(settings, ledger, bakery, connection):
    bakery.breaks_at = CHUNKS - 1
    await connection.execute(
        "create function halve() returns trigger language plpgsql"
        " as $$ begin new.size := new.size / 2; return new; end $$;"
        "create trigger halve before insert on build_parts for each row execute function halve()"
    )
    async with worker(settings, ledger, bakery.prepare) as house:
        job = await house.until(await house.submit(), Status.COMPLETED)
    assert job.attempt == 2
    assert content_of(house, job) == CONTENT
    assert bakery.made.count(0) == 2


async def test_a_cancelled_build_leaves_nothing_in_the_store(settings, ledger, bakery):
    bakery.waits_at = CHUNKS - 1
    async with worker(settings, ledger, bakery.prepare) as house:
        job = await house.submit()
        await bakery.waiting.wait()
        await ledger.attempts.cancel(job.id, user_id=job.user_id)

        async def empty() -> bool:
            return not await asyncio.to_thread(files_below, house.store)

        await eventually(empty)
