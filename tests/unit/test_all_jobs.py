"""The list of all jobs of a user: one user's many lists, and one long list, hold nobody else up."""

import asyncio
from types import SimpleNamespace

import pytest

from haulier.api.live.all_jobs import MADE_AT_ONCE, AllJobs
from haulier.api.live.list_seats import LISTS_OF_USER, ListSeats
from haulier.api.rendering import Rendered
from haulier.clock import SYSTEM_CLOCK
from haulier.errors import Unavailable
from tests.builders import NOW, job

FEED = SimpleNamespace(follow_user=lambda _: None, closed=False)


class Changes:
    """In place of the ledger's: notes who reads a list, and lets nobody go on until it is told to."""

    def __init__(self, jobs=()):
        self.jobs = list(jobs)
        self.reading = []
        self.go_on = asyncio.Event()

    async def moment(self):
        return NOW

    async def alive(self, user_id, *, most):
        self.reading.append(user_id)
        await self.go_on.wait()
        self.reading.remove(user_id)
        return self.jobs


class Statuses:
    async def of(self, job, *, with_files):
        return Rendered(job.version, "tag", b"{}", retry_after_s=2, made_at=0.0)


def services(changes):
    return SimpleNamespace(
        clock=SYSTEM_CLOCK,
        statuses=Statuses(),
        ledger=SimpleNamespace(changes=changes),
        list_seats=ListSeats(),
        snapshots=SimpleNamespace(remember=lambda _: None),
    )


async def made(user_id, own, feed=FEED):
    return [job async for job, _ in AllJobs(user_id, own, since=None).begin(feed)]


@pytest.fixture
async def begun():
    """`begun(coroutine)`: it runs until the test ends."""
    tasks = []
    yield lambda coroutine: tasks.append(asyncio.create_task(coroutine)) or tasks[-1]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_user_who_asks_for_many_lists_leaves_the_seats_to_others(begun):
    changes = Changes()
    own = services(changes)
    lists = [begun(made(user_id, own)) for user_id in ("anna",) * 5 + ("ben",)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert changes.reading == ["anna"] * LISTS_OF_USER + ["ben"]
    changes.go_on.set()
    assert await asyncio.gather(*lists) == [[]] * 6


async def test_a_list_that_is_not_made_is_no_empty_one(begun):
    """Its reader left while it waited for a seat, or the process began to stop."""
    changes = Changes()
    own = services(changes)
    gone = SimpleNamespace(follow_user=lambda _: None, closed=False)
    waiting = [begun(made("anna", own)) for _ in range(LISTS_OF_USER)] + [begun(made("anna", own, gone))]
    await asyncio.sleep(0)
    gone.closed = True
    changes.jobs = [job()]
    changes.go_on.set()
    *lists, refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert [len(each) for each in lists] == [1, 1]
    assert isinstance(refused, Unavailable)


async def test_a_long_list_gives_turns(begun):
    changes = Changes(job() for _ in range(4 * MADE_AT_ONCE))
    changes.go_on.set()
    turns = []

    async def another():
        while True:
            turns.append("one")
            await asyncio.sleep(0)

    begun(another())
    assert len(await made("anna", services(changes))) == 4 * MADE_AT_ONCE
    assert len(turns) >= 4
