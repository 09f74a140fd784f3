"""Moments as people type them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.cli.moments import moment_of
from tests.builders import NOW

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
PARTS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "])), min_size=1
)


@given(PARTS)
def test_every_duration_is_the_sum_of_its_parts_ago(parts: list[tuple[int, str, str]]) -> None:
    text = "".join(f"{amount}{space}{unit}{space}" for amount, unit, space in parts)
    seconds = sum(amount * UNITS[unit] for amount, unit, _ in parts)
    if seconds < 2_000 * 365 * 86_400:
        assert moment_of(text, now=NOW) == NOW - timedelta(seconds=seconds)


@given(st.text() | st.from_regex(r"[0-9]{1,30}[smhdwy ]{0,3}", fullmatch=True))
def test_any_text_is_a_moment_or_refused_with_a_way_out(text: str) -> None:
    sentence = refusal(text)
    assert sentence is None or "90s, 30m, 2h, 7d" in sentence


def refusal(text: str) -> str | None:
    try:
        moment_of(text, now=NOW)
    except ValueError as error:
        return str(error)
    return None


@given(st.datetimes(timezones=st.just(NOW.tzinfo)))
def test_a_time_is_itself(moment) -> None:
    assert moment_of(moment.isoformat(), now=NOW) == moment


@pytest.mark.parametrize("text", ["", "2", "h", "2y", "2 months", "-2h", "1.5h", "2h ago", "yesterday", "9999999999s"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        moment_of(text, now=NOW)


def test_what_lies_before_all_time_is_refused() -> None:
    with pytest.raises(ValueError, match="before all time"):
        moment_of("999999999w", now=NOW)
