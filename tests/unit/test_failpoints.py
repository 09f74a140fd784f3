"""Failpoints do nothing in production, and what a test installs ends with its block."""

import pytest

from haulier.failpoints import Point, acting, reached


async def test_nothing_happens_at_a_point():
    for point in Point:
        await reached(point)


async def test_a_test_acts_at_its_points_during_its_block():
    seen = []

    async def note(point):
        seen.append(point)

    with acting(note):
        await reached(Point.CLAIMED)
    await reached(Point.STORED)
    assert seen == [Point.CLAIMED]


async def test_what_an_actor_raises_is_raised_at_the_point():
    async def fail(_):
        raise BlockingIOError

    with acting(fail), pytest.raises(BlockingIOError):
        await reached(Point.PART_SENT)
    await reached(Point.PART_SENT)
