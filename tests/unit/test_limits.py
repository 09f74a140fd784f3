"""Limits of roles, as settings write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.limits import ADMIN, FREE, RoleLimits, parse_limits


def test_parts_that_are_left_out_keep_the_default():
    assert parse_limits("rate=100", default=FREE) == RoleLimits(
        rate_per_minute=100, quota_per_day=50, running=3, weight=1.0
    )


def test_an_empty_text_is_the_default():
    assert parse_limits("", default=ADMIN) == ADMIN


def test_unlimited_lifts_a_limit():
    assert parse_limits("quota=unlimited, running=unlimited", default=FREE).quota_per_day is None


@pytest.mark.parametrize(
    ("text", "keep_s"), [("3600", 3_600), ("90s", 90), ("30m", 1_800), ("24h", 86_400), ("7d", 604_800)]
)
def test_keep_takes_seconds_and_durations(text, keep_s):
    assert parse_limits(f"rate=10,keep={text}", default=FREE).keep_s == keep_s


WRONG = [
    "rate",
    "rate=",
    "rate=-1",
    "rate=0",
    "rate=1.5",
    "speed=3",
    "weight=0",
    "weight=unlimited",
    "weight=3h",
    "rate=3m",
    "keep=0",
    "keep=59s",
    "keep=forever",
    "keep=unlimited",
    "keep=1.5h",
    "keep=3651d",
    "keep=7w",
]


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_part_is_named(text):
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        parse_limits(text, default=FREE)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with suppress(ValueError):
        assert isinstance(parse_limits(text, default=FREE), RoleLimits)
