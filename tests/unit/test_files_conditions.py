"""Ranges and conditions of RFC 9110, one rule at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.api.conditions import (
    Representation,
    http_date,
    is_not_modified,
    is_precondition_failed,
    requested_span,
)
from haulier.errors import RangeNotSatisfiable

MOMENT = datetime(2026, 11, 23, 10, 0, 5, 678_000, tzinfo=UTC)
CURRENT = Representation('"e1"', MOMENT, 100)
HUGE = f"bytes={'9' * 5_000}-"
EMPTY = Representation('"e1"', MOMENT, 0)
SAME = http_date(MOMENT)
EARLIER, LATER = http_date(MOMENT - timedelta(days=1)), http_date(MOMENT + timedelta(days=1))


def test_a_date_has_the_form_of_http():
    assert SAME == "Mon, 23 Nov 2026 10:00:05 GMT"


@pytest.mark.parametrize(
    ("field", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=99-", (99, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("BYTES = 1 - 2", (1, 3)),
    ],
)
def test_a_range_is_cut_to_the_file(field, span):
    assert requested_span({"range": field}, CURRENT) == span


@pytest.mark.parametrize(
    "field",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,5-6", "lines=0-1", "bytes=٣-٤", HUGE],
)
def test_a_range_that_is_wrong_or_several_is_ignored(field):
    assert requested_span({"range": field}, CURRENT) is None


@pytest.mark.parametrize("field", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=9999999999999999999-"])
def test_a_range_behind_the_end_cannot_be_satisfied(field):
    with pytest.raises(RangeNotSatisfiable) as caught:
        requested_span({"range": field}, CURRENT)
    assert caught.value.facts == {"size": 100}


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=0-0", "bytes=-5"])
def test_an_empty_file_satisfies_no_range(field):
    with pytest.raises(RangeNotSatisfiable):
        requested_span({"range": field}, EMPTY)


@given(st.text(st.sampled_from("bytes=0123456789-, ")) | st.text())
def test_any_range_is_answered_with_bytes_of_the_file(field):
    try:
        span = requested_span({"range": field}, CURRENT)
    except RangeNotSatisfiable:
        return
    assert span is None or 0 <= span.start < span.end <= CURRENT.size


@pytest.mark.parametrize("field", ['"e1"', SAME])
def test_if_range_with_this_version_keeps_the_range(field):
    assert requested_span({"range": "bytes=1-2", "if-range": field}, CURRENT) == (1, 3)


@pytest.mark.parametrize("field", ['"e2"', 'W/"e1"', EARLIER, LATER, "nonsense", "*"])
def test_if_range_with_another_version_asks_for_the_whole(field):
    assert requested_span({"range": "bytes=1-2", "if-range": field}, CURRENT) is None
    assert requested_span({"range": "bytes=500-", "if-range": field}, CURRENT) is None


@pytest.mark.parametrize("field", ['"e1"', 'W/"e1"', '"e0", "e1"', '"a,b",W/"e1"', "*"])
def test_a_version_that_the_client_has_is_not_modified(field):
    assert is_not_modified({"if-none-match": field}, CURRENT)


@pytest.mark.parametrize("field", ['"e2"', "e1", '"e1', "", '"x"e1"'])
def test_a_version_that_the_client_has_not_is_sent(field):
    assert not is_not_modified({"if-none-match": field, "if-modified-since": LATER}, CURRENT)


def test_dates_decide_without_tags():
    assert is_not_modified({"if-modified-since": SAME}, CURRENT)
    assert not is_not_modified({"if-modified-since": EARLIER}, CURRENT)
    assert not is_not_modified({"if-modified-since": "nonsense"}, CURRENT)
    assert is_precondition_failed({"if-unmodified-since": EARLIER}, CURRENT)
    assert not is_precondition_failed({"if-unmodified-since": SAME}, CURRENT)
    assert not is_precondition_failed({"if-unmodified-since": "Mon, 99 Nov 2026 10:00:05 GMT"}, CURRENT)


@pytest.mark.parametrize("field", ['"e1"', '"e0","e1"', "*"])
def test_if_match_with_this_version_holds(field):
    assert not is_precondition_failed({"if-match": field, "if-unmodified-since": EARLIER}, CURRENT)


@pytest.mark.parametrize("field", ['"e2"', 'W/"e1"', ""])
def test_if_match_with_another_version_fails(field):
    assert is_precondition_failed({"if-match": field}, CURRENT)
