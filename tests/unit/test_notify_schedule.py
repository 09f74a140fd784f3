"""When deliveries are tried again, and what an attempt makes of its delivery."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from haulier.notify.endings import ended_by
from haulier.notify.port import Delivered, GiveUp, TryAgain
from haulier.notify.schedule import JITTER, LONGEST_S, MOST_ATTEMPTS, WAITS_S, wait_after

SECOND = timedelta(seconds=1)


@given(tries=st.integers(1, MOST_ATTEMPTS - 1), seed=st.integers())
def test_waits_grow_from_seconds_to_a_day_with_some_jitter(tries, seed):
    wait = wait_after(tries, rng=Random(seed))
    assert (1 - JITTER) * WAITS_S[tries - 1] <= wait / SECOND <= (1 + JITTER) * WAITS_S[tries - 1]


@given(tries=st.integers(MOST_ATTEMPTS, 10_000), after_s=st.none() | st.floats(0, 1e9))
def test_after_the_last_attempt_there_is_none(tries, after_s):
    assert wait_after(tries, rng=Random(1), after_s=after_s) is None


def test_all_attempts_together_take_more_than_three_days():
    assert timedelta(days=3) < timedelta(seconds=sum(WAITS_S)) < timedelta(days=4)


@given(tries=st.integers(1, MOST_ATTEMPTS - 1), seed=st.integers(), after_s=st.floats(0, 1e12))
def test_a_receiver_can_ask_for_more_time_but_not_for_less_nor_for_more_than_a_day(tries, seed, after_s):
    plain = wait_after(tries, rng=Random(seed))
    asked = wait_after(tries, rng=Random(seed), after_s=after_s)
    assert asked == max(
        plain, min(timedelta(seconds=after_s) if after_s < LONGEST_S else timedelta(days=1), timedelta(days=1))
    )


def ended(verdict, *, tries=1):
    return ended_by(verdict, tries=tries, took=SECOND, rng=Random(1))


def test_a_delivered_one_is_over():
    assert ended(Delivered(204)).outcome == "delivered"


def test_a_failed_attempt_is_repeated_until_the_last_one():
    assert ended(TryAgain("it answered 500", 500)).outcome == "again"
    last = ended(TryAgain("it answered 500", 500), tries=MOST_ATTEMPTS)
    assert (last.outcome, last.answer, last.reason) == ("failed", 500, "it answered 500")


def test_what_nobody_knows_is_unknown_and_disables_nothing():
    assert ended(GiveUp("gone", 410, disable=True)).disable
    unknown = ended(GiveUp("perhaps", disable=True, unknown=True))
    assert (unknown.outcome, unknown.disable) == ("unknown", False)


def test_a_reason_is_short_and_printable():
    assert ended(TryAgain("a\nb\x1b[0m" + "c" * 1_000)).reason == "a b [0m" + "c" * 293
