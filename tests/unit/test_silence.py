"""Waiting for answers: as long as was said, unless it was we who stood still."""

import asyncio
import time

import pytest

from haulier.silence import LOOKS, answered_within

LIMIT_S = 0.1


async def test_an_answer_in_time_is_taken() -> None:
    async with answered_within(10):
        assert await asyncio.sleep(0, "answer") == "answer"


@pytest.mark.parametrize("limit_s", [LIMIT_S, 0, -1])
async def test_silence_ends_at_the_limit(limit_s: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10), answered_within(limit_s):
            await asyncio.Event().wait()


async def test_without_a_limit_nobody_is_silent() -> None:
    async with answered_within(None):
        await asyncio.sleep(LIMIT_S)


async def test_a_time_in_which_the_process_stood_still_is_not_the_other_side_s_silence() -> None:
    came = asyncio.Event()
    asyncio.get_running_loop().call_later(LIMIT_S, came.set)
    async with answered_within(LIMIT_S * 1.5):
        asyncio.get_running_loop().call_soon(time.sleep, LIMIT_S * 5)  # as a pause of the whole machine
        await came.wait()
        for _ in range(LOOKS // 2):  # what is left to read takes turns of the loop
            await asyncio.sleep(0)


async def test_a_blocked_loop_does_not_lift_the_limit() -> None:
    asyncio.get_running_loop().call_soon(time.sleep, LIMIT_S * 2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10), answered_within(LIMIT_S):
            await asyncio.Event().wait()


async def test_a_cancel_from_outside_stays_one() -> None:
    async def wait() -> None:
        async with answered_within(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_in_the_block_is_told_and_nothing_fires_later() -> None:
    with pytest.raises(KeyError):
        async with answered_within(LIMIT_S):
            raise KeyError
    await asyncio.sleep(LIMIT_S * 1.5)  # the limit's own timers would cancel this
