"""When deliveries are tried again, and what an attempt makes of its delivery."""

from datetime import timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.notify.endings import ended_by
from haulier.notify.port import Delivered, GiveUp, TryAgain
from haulier.notify.schedule import JITTER, LONGEST_S, MOST_ATTEMPTS, PAUSE_JITTER, WAITS_S, pause_of, wait_after

SECOND = timedelta(seconds=1)


@given(tries=st.integers(1, MOST_ATTEMPTS - 1), seed=st.integers())
def test_waits_grow_from_seconds_to_a_day_with_some_jitter(tries, seed):
    wait = wait_after(tries, rng=Random(seed))
    assert (1 - JITTER) * WAITS_S[tries - 1] <= wait / SECOND <= (1 + JITTER) * WAITS_S[tries - 1]


@given(tries=st.integers(MOST_ATTEMPTS, 10_000))
def test_after_the_last_attempt_there_is_none(tries):
    assert wait_after(tries, rng=Random(1)) is None


@pytest.mark.parametrize("tries", range(1, MOST_ATTEMPTS))
def test_no_two_of_many_come_back_at_the_same_moment(tries):
    assert len({wait_after(tries, rng=Random(seed)) for seed in range(20)}) == 20
    assert len({pause_of(3_600, rng=Random(seed)) for seed in range(20)}) == 20


def test_all_attempts_together_take_more_than_three_days():
    assert timedelta(days=3) < timedelta(seconds=sum(WAITS_S)) < timedelta(days=4)


@given(seed=st.integers(), after_s=st.floats(0.001, 1e12))
def test_a_receiver_is_left_alone_for_what_it_asks_and_a_little_more_up_to_a_day(seed, after_s):
    asked = min(after_s, LONGEST_S)
    pause_s = pause_of(after_s, rng=Random(seed)) / SECOND
    assert asked - 1e-6 <= pause_s <= (1 + PAUSE_JITTER) * asked + 1e-6


@pytest.mark.parametrize("after_s", [None, 0.0])
def test_a_receiver_that_asks_for_no_pause_gets_none(after_s):
    assert pause_of(after_s, rng=Random(1)) is None


def ended(verdict, *, tries=1):
    return ended_by(verdict, tries=tries, took=SECOND, rng=Random(1))


def test_a_delivered_one_is_over():
    assert ended(Delivered(204)).outcome == "delivered"


def test_a_failed_attempt_is_repeated_until_the_last_one():
    assert ended(TryAgain("it answered 500", 500)).outcome == "again"
    last = ended(TryAgain("it answered 500", 500), tries=MOST_ATTEMPTS)
    assert (last.outcome, last.answer, last.reason) == ("failed", 500, "it answered 500")


def test_a_pause_counts_for_the_channel_and_for_this_delivery_but_makes_no_wait_shorter():
    short, long = ended(TryAgain("it answered 429", 429, after_s=1)), ended(TryAgain("busy", 429, after_s=3_600))
    assert (short.pause < 2 * SECOND, short.wait >= 4 * SECOND) == (True, True)
    assert long.wait == long.pause >= 3_600 * SECOND
    last = ended(TryAgain("it answered 429", 429, after_s=3_600), tries=MOST_ATTEMPTS)
    assert (last.outcome, last.pause >= 3_600 * SECOND) == ("failed", True)


@pytest.mark.parametrize("verdict", [TryAgain("our server is away"), GiveUp("our place is gone")])
def test_what_is_ours_is_not_held_against_the_channel(verdict):
    assert ended(verdict).counts
    assert not ended(msgspec.structs.replace(verdict, ours=True)).counts


def test_what_nobody_knows_is_unknown_and_disables_nothing():
    assert ended(GiveUp("gone", 410, disable=True)).disable
    unknown = ended(GiveUp("perhaps", disable=True, unknown=True))
    assert (unknown.outcome, unknown.disable) == ("unknown", False)


def test_a_reason_is_short_and_printable():
    assert ended(TryAgain("a\nb\x1b[0m" + "c" * 1_000)).reason == "a b [0m" + "c" * 293
