"""Moments as people type them: how long ago, or an RFC 3339 time."""

import re
from datetime import datetime, timedelta

from haulier.clock import instant

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(\d{1,9}\s*(s|min|m|h|d|w)\s*)+", re.ASCII)
_PART = re.compile(r"(\d+)\s*(s|min|m|h|d|w)", re.ASCII)


def moment_of(text: str, *, now: datetime) -> datetime:
    """The moment that `2h`, `1d 12h`, `90s` (before `now`) or an RFC 3339 time names.

    Raises ValueError with a sentence. `m` and `min` are minutes; the longest unit is the week, `w`.
    """
    given = text.strip()
    if not _AGO.fullmatch(given):
        try:
            return instant(given)
        except ValueError as error:
            raise ValueError(f"{error}; or say how long ago, like 90s, 30m, 2h, 7d") from None
    seconds = sum(int(amount) * _SECONDS[unit] for amount, unit in _PART.findall(given))
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError("is before all time; say a shorter one, like 90s, 30m, 2h, 7d") from None
