"""Conditional and range requests (RFC 9110 sections 13 and 14) for one representation. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import NamedTuple

from haulier.errors import RangeNotSatisfiable

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE | re.ASCII)
_ETAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class Span(NamedTuple):
    """Bytes `start` to `end`, exclusive."""

    start: int
    end: int


class Representation(NamedTuple):
    """What conditions are about: a strong `etag` in its quotes, a time and a size in bytes."""

    etag: str
    last_modified: datetime
    size: int


def http_date(moment: datetime) -> str:
    """IMF-fixdate, whole seconds."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def is_precondition_failed(headers: Mapping[str, str], current: Representation) -> bool:
    """Whether If-Match, or without it If-Unmodified-Since, asks for something else: 412. Names are lower case."""
    match = headers.get("if-match")
    if match is not None:
        return not lists(match, current.etag, weakly=False)
    since = _date(headers.get("if-unmodified-since"))
    return since is not None and current.last_modified.replace(microsecond=0) > since


def is_not_modified(headers: Mapping[str, str], current: Representation) -> bool:
    """Whether the client has it already, by If-None-Match or without it If-Modified-Since: 304."""
    match = headers.get("if-none-match")
    if match is not None:
        return lists(match, current.etag, weakly=True)
    since = _date(headers.get("if-modified-since"))
    return since is not None and current.last_modified.replace(microsecond=0) <= since


def lists(field: str, etag: str, *, weakly: bool) -> bool:
    """Whether an If-Match or If-None-Match field names `etag`; weak tags count with `weakly` only."""
    if field.strip() == "*":
        return True
    wanted = etag.removeprefix("W/") if weakly else etag
    return any(found[2] == wanted and (weakly or not found[1]) for found in _ETAG.finditer(field))


def tags_in(field: str) -> list[str]:
    """The tags that such a field names, in their quotes and without their weakness."""
    return [found[2] for found in _ETAG.finditer(field)]


def requested_span(headers: Mapping[str, str], current: Representation) -> Span | None:
    """The one range to answer, None for the whole: no Range, several, a wrong one, or If-Range names another version.

    Raises RangeNotSatisfiable when the range holds no byte.
    """
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or found[1] == found[2] == "" or not _is_same_version(headers.get("if-range"), current):
        return None
    if found[1] == "":
        span = Span(max(0, current.size - int(found[2])), current.size)
    else:
        first, last = int(found[1]), int(found[2]) if found[2] else current.size
        if last < first and found[2]:
            return None
        span = Span(first, min(last + 1, current.size))
    if span.start >= span.end:
        raise RangeNotSatisfiable(size=current.size)
    return span


def _is_same_version(if_range: str | None, current: Representation) -> bool:
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == current.etag  # a weak one, W/"…", never equals it
    return if_range.strip() == http_date(current.last_modified)


def _date(field: str | None) -> datetime | None:
    """An HTTP date, None when there is none or it makes no sense: such conditions are ignored."""
    try:
        moment = parsedate_to_datetime(field or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
