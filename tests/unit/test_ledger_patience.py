"""How long callers wait for the ledger, and when they stop waiting together."""

import asyncio

import pytest

from haulier.clock import SYSTEM_CLOCK
from haulier.errors import LedgerUnavailable
from haulier.ledger.patience import Patience

ANSWER_S = 0.05


@pytest.fixture
def patience():
    return Patience(ANSWER_S, clock=SYSTEM_CLOCK)


async def silence(patience):
    async with patience.asking():
        await asyncio.Event().wait()


async def answer(patience):
    async with patience.asking():
        return "answer"


async def fell_silent(patience):
    with pytest.raises(LedgerUnavailable):
        await silence(patience)


async def assert_calls_ask_side_by_side(patience):
    asking = asyncio.create_task(silence(patience))
    await asyncio.sleep(0)
    assert await answer(patience) == "answer"
    with pytest.raises(LedgerUnavailable):
        await asking


async def assert_one_call_asks_and_the_others_fail(patience):
    asking = asyncio.create_task(silence(patience))
    await asyncio.sleep(0)
    with pytest.raises(LedgerUnavailable):
        await answer(patience)
    with pytest.raises(LedgerUnavailable):
        await asking


async def test_a_call_ends_with_its_time(patience):
    await fell_silent(patience)


async def test_while_the_server_is_silent_one_call_asks_and_the_others_fail_at_once(patience):
    await fell_silent(patience)
    await assert_one_call_asks_and_the_others_fail(patience)


async def test_one_answer_ends_the_silence(patience):
    await fell_silent(patience)
    assert await answer(patience) == "answer"
    await assert_calls_ask_side_by_side(patience)


async def test_a_refusal_is_an_answer(patience):
    await fell_silent(patience)
    with pytest.raises(ValueError, match="no"):
        async with patience.asking():
            raise ValueError("no")
    await assert_calls_ask_side_by_side(patience)


async def test_a_caller_who_leaves_is_no_answer(patience):
    await fell_silent(patience)
    leaving = asyncio.create_task(silence(patience))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    await assert_one_call_asks_and_the_others_fail(patience)


async def test_a_slow_statement_among_quick_ones_is_no_silence(patience):
    slow = asyncio.create_task(silence(patience))
    await asyncio.sleep(0)
    await answer(patience)
    with pytest.raises(LedgerUnavailable):
        await slow
    await assert_calls_ask_side_by_side(patience)


async def test_without_a_limit_a_call_takes_as_long_as_it_takes():
    patience = Patience(None, clock=SYSTEM_CLOCK)
    calling = asyncio.create_task(silence(patience))
    _, pending = await asyncio.wait({calling}, timeout=3 * ANSWER_S)
    assert pending
    calling.cancel()
