"""What fetch reads out of an answer: whatever an origin sends is read, or left alone, and never fails the reading."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from haulier.preparers.headers import Part, content_range, is_past_end, read_answer, validator
from haulier.preparers.names import safe_file_name

TEXT = st.text(alphabet=st.characters(min_codepoint=9, max_codepoint=255, exclude_characters="\n\r\0"))
DATES = TEXT | st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Tue", ""]),
    st.integers(0, 40),
    st.sampled_from(["Jan", "Feb", "Nov"]),
    st.sampled_from(["0", "1", "99", "2026", "9999", "10000"]),
    st.integers(0, 30),
    st.integers(0, 70),
    st.integers(0, 70),
    st.sampled_from(["GMT", "-0000", "+0000", "+9999", "-2359", ""]),
)
DISPOSITIONS = TEXT | st.builds(
    "attachment; filename{}={}".format,
    st.sampled_from(["", "*", "*0", "*0*", "*1*"]),
    TEXT | st.builds("{}''{}".format, st.sampled_from(["UTF-8", "bogus", "utf-16", "idna", ""]), TEXT),
)


def answered(status: int = 200, *, url: str = "http://origin.example/a.bin", **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value.encode("latin-1") for name, value in headers.items()}
    return httpx.Response(status, headers=sent, request=httpx.Request("GET", url))


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**62) | st.none())
def test_a_range_is_read_back(start: int, length: int, total: int | None):
    text = f"bytes {start}-{start + length}/{'*' if total is None else total}"
    assert content_range(answered(206, content_range=text)) == Part(start=start, total=total)


@given(TEXT | st.from_regex(r"bytes [0-9]{0,25}-[0-9]{0,25}/[0-9*]{0,25}", fullmatch=True))
@example(f"bytes {'9' * 5_000}-1/2")
def test_any_other_range_is_none(text: str):
    assert isinstance(content_range(answered(206, content_range=text)), Part | None)


@given(DATES, DATES, TEXT | st.none())
def test_any_dates_and_tags_are_a_strong_validator_or_none(modified: str, date: str, etag: str | None):
    headers = {"last_modified": modified, "date": date} | ({} if etag is None else {"etag": etag})
    found = validator(answered(**headers))
    assert found is None or (found.isascii() and found.startswith('"') is (etag is not None))


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)), st.integers(-5, 5))  # noqa: DTZ001
def test_a_date_is_strong_from_one_second_on(moment: datetime, seconds: int):
    changed = moment.replace(tzinfo=UTC)
    modified, date = (format_datetime(at, usegmt=True) for at in (changed, changed + timedelta(seconds=seconds)))
    assert validator(answered(last_modified=modified, date=date)) == (modified if seconds >= 1 else None)


@pytest.mark.parametrize("etag", ['W/"v1"', "v1", '"v1', 'v1"', '"', '"a"b"', '"a b"', '"é"', "", f'"{"x" * 300}"'])
def test_a_weak_or_malformed_tag_validates_nothing(etag: str):
    dates = {"last_modified": "Mon, 23 Nov 2026 10:00:00 GMT", "date": "Mon, 23 Nov 2026 11:00:00 GMT"}
    assert validator(answered(etag=etag, **dates)) is None


@pytest.mark.parametrize("etag", ['"v1"', '""', '"a,b;c=d-e!#~"'])
def test_a_strong_tag_validates(etag: str):
    assert validator(answered(etag=etag)) == etag


@given(DISPOSITIONS, TEXT, st.text())
@example("attachment; filename*=bogus''%ff", "", "")
@example("attachment; filename*0*=utf-16''%ff; filename*1*=%00", "", "")
def test_any_name_and_type_come_out_safe(disposition: str, kind: str, path: str):
    answer = read_answer(
        answered(url=f"http://origin.example/{quote(path)}", content_disposition=disposition, content_type=kind)
    )
    assert answer.file_name == safe_file_name(answer.file_name)
    assert answer.content_type.isascii()
    assert answer.content_type.isprintable()


@pytest.mark.parametrize(
    ("status", "text", "past"),
    [(416, "bytes */5", True), (416, "bytes */6", False), (416, "", False), (206, "bytes */5", False)],
)
def test_only_a_refused_range_that_names_the_size_is_past_the_end(status: int, text: str, past: bool):
    assert is_past_end(answered(status, content_range=text), size=5) is past
