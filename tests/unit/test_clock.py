"""RFC 3339 times: what we write, we read; what is none, is refused with a sentence."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.clock import instant, wire_time

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=OFFSETS).filter(lambda moment: 1 < moment.year < 9999)


@given(MOMENTS)
def test_every_moment_is_read_as_it_was_written(moment: datetime) -> None:
    assert instant(moment.isoformat(timespec="microseconds")) == moment
    assert instant(wire_time(moment)) == moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
    assert instant(moment.isoformat(timespec="microseconds")).tzinfo is UTC


@given(st.text())
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T10:00:05Z", "2026-11-23T10:00:05.000Z"),
        ("2026-11-23t10:00:05.1239999z", "2026-11-23T10:00:05.123Z"),
        ("2026-11-23 10:00:05+02:00", "2026-11-23T08:00:05.000Z"),
    ],
)
def test_the_forms_of_rfc_3339(text: str, expected: str) -> None:
    assert wire_time(instant(text)) == expected


@pytest.mark.parametrize("text", ["", "now", "2026-11-23", "20261123T100005Z", "2026-11-23T10:00:05", "1700000000"])
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        instant(text)


@pytest.mark.parametrize("text", ["2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:00", "2026-11-23T10:00:05+99:00"])
def test_a_time_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        instant(text)
