"""Durations, as settings write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.durations import seconds_of

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@given(st.integers(0, 999_999_999), st.sampled_from(sorted(SECONDS)))
def test_a_number_and_its_unit_are_seconds(number, unit):
    assert seconds_of(f"{number}{unit}") == number * SECONDS[unit]


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with suppress(ValueError):
        assert seconds_of(text) >= 0


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "2w", "1h30m", "1 day", "٣h", "1234567890"])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(ValueError, match="is not a duration"):
        seconds_of(text)
