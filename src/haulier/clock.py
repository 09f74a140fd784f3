"""Reading time: the only module that does.

Who owns a lease and when a job is due is decided by the database's clock (`haulier_now()` in SQL), never by this one:
a process whose clock is an hour off must not steal work. This one dates tokens, signed URLs and log lines.
"""

import re
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the rest of the house asks the time."""

    def now(self) -> datetime:
        """The current time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`, the form of every time on the wire: `2026-11-23T10:00:05.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """The moment that an RFC 3339 time names, in UTC, cut to microseconds. Raises ValueError with a sentence."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError("must be a time in RFC 3339, like 2026-11-23T10:00:05Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("names a time that does not exist") from None
