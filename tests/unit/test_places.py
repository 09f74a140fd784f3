"""Places in the queue: never a reason to wait for a ledger that is slow."""

import asyncio
from types import SimpleNamespace

import pytest

from haulier.api import places as module
from haulier.api.places import FRESH_S, Places
from tests.builders import job
from tests.clocks import HandClock


class SlowJobs:
    """Nobody stands in the line's head, and the place of a single job is never told."""

    def __init__(self):
        self.asked = []

    async def line(self):
        return SimpleNamespace(place_of=lambda _: None)

    async def place_in_line(self, job_id):
        self.asked.append(job_id)
        await asyncio.Event().wait()


@pytest.fixture
def jobs():
    return SlowJobs()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def places(jobs, clock, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_S", 0.01)
    return Places(jobs, clock=clock)


async def test_a_list_waits_for_a_slow_place_once(places, jobs, clock):
    waiting = [job() for _ in range(40)]
    assert {await places.of(each) for each in waiting} == {None}
    assert jobs.asked == [waiting[0].id]
    clock.passed_s = FRESH_S
    await places.of(waiting[1])
    assert jobs.asked == [each.id for each in waiting[:2]]
