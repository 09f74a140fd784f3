"""What a connection looks at again: jobs whose place in the queue moves without a version."""

from types import SimpleNamespace

import pytest

from haulier.api.live import telling as module
from haulier.api.live.telling import LOOK_AGAIN_S, QUEUED_LOOKED_AT, Telling
from haulier.api.rendering import Rendered
from tests.builders import job
from tests.clocks import HandClock


class Statuses:
    """In place of rendering: a status is its job's version and `place`, and each look is counted."""

    def __init__(self):
        self.place = 1
        self.looks = []

    async def of(self, job, *, with_files):
        self.looks.append(job.id)
        return Rendered(job.version, f"{job.version}-{self.place}", b"{}", retry_after_s=2, made_at=0.0)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def statuses():
    return Statuses()


@pytest.fixture
def telling(clock, statuses):
    return Telling(SimpleNamespace(clock=clock, statuses=statuses), with_files=False)


async def looked_again(telling, clock, statuses):
    """The jobs that one more round of `moved` tells."""
    clock.passed_s += telling.wait_s()
    statuses.looks.clear()
    return [job.id async for job, _ in telling.moved()]


async def test_each_of_many_waiting_jobs_has_its_turn(telling, clock, statuses):
    jobs = [job() for _ in range(3 * QUEUED_LOOKED_AT)]
    for each in jobs:
        await telling.news(each)
    statuses.place = 2
    told = [await looked_again(telling, clock, statuses) for _ in range(3)]
    assert [id_ for round_ in told for id_ in round_] == [each.id for each in jobs]
    assert clock.passed_s == 3 * LOOK_AGAIN_S


async def test_so_many_are_looked_at_in_a_while_and_no_more(telling, clock, statuses):
    for _ in range(2 * QUEUED_LOOKED_AT):
        await telling.news(job())
    await looked_again(telling, clock, statuses)
    assert len(statuses.looks) == QUEUED_LOOKED_AT
    assert [each async for each in telling.moved()] == []
    assert (len(statuses.looks), telling.wait_s()) == (QUEUED_LOOKED_AT, LOOK_AGAIN_S)


async def test_what_is_known_no_more_is_not_looked_at(telling, clock, statuses, monkeypatch):
    monkeypatch.setattr(module, "KNOWN_LIMIT", 1)
    first, second = job(), job()
    for each in (first, second):
        await telling.news(each)
    statuses.place = 2
    assert await looked_again(telling, clock, statuses) == [second.id]


async def test_one_look_is_enough_however_often_it_was_told(telling, clock, statuses):
    """The same job at one moment, told for its version twice and forgotten in between."""
    one, other = job(), job()
    for each in (one, other, one):
        await telling.news(each)
    telling.forget(other.id)
    statuses.place = 2
    assert await looked_again(telling, clock, statuses) == [one.id]
    assert (statuses.looks, telling.wait_s()) == ([one.id], LOOK_AGAIN_S)
