"""Noticing an event loop that stands still: a fake clock for the rule, a real blocked loop for the watch."""

import asyncio
import threading
import time

from structlog.testing import capture_logs

from haulier.clock import SYSTEM_CLOCK
from haulier.observe.stalls import LIMIT_S, RECENT_S, Stalls, watching
from tests.clocks import HandClock
from tests.waiting import eventually


def looked(stalls):
    with capture_logs() as logs:
        stalls.look(threading.get_ident())
    return [line["event"] for line in logs]


def test_a_short_pause_is_nothing():
    clock = HandClock()
    stalls = Stalls(clock)
    clock.passed_s += LIMIT_S
    assert looked(stalls) == []
    assert stalls.recent == ""


def test_a_stall_is_reported_once_while_it_lasts_and_once_when_it_is_over():
    clock = HandClock()
    stalls = Stalls(clock)
    clock.passed_s += LIMIT_S + 0.5
    assert looked(stalls) == ["loop_stalled"]
    clock.passed_s += 1.5
    assert looked(stalls) == []
    stalls.pulse()
    assert looked(stalls) == ["loop_stall_over"]
    assert (stalls.count, stalls.recent) == (1, "the event loop stood still for 3.0 s")


def test_a_stall_is_forgotten_after_a_minute():
    clock = HandClock()
    stalls = Stalls(clock)
    clock.passed_s += LIMIT_S * 2
    looked(stalls)
    stalls.pulse()
    looked(stalls)
    clock.passed_s += RECENT_S + 1
    assert stalls.recent == ""


async def test_a_blocked_loop_is_caught_in_the_act():
    with capture_logs() as logs:
        async with watching(SYSTEM_CLOCK) as stalls:
            await asyncio.sleep(0)
            block_the_loop(stalls)
            await eventually(lambda: stalls.recent)
    stalled = next(line for line in logs if line["event"] == "loop_stalled")
    assert "block_the_loop" in stalled["where"]


def block_the_loop(stalls):
    """Until the watch has seen it; it is what the loop must not do."""
    end = time.monotonic() + 30
    while not stalls.count and time.monotonic() < end:
        time.sleep(0.01)
