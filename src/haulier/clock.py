"""Reading time: the only module that does.

Who owns a lease and when a job is due is decided by the database's clock (`haulier_now()` in SQL), never by this one:
a process whose clock is an hour off must not steal work. This one dates tokens, signed URLs and log lines.
"""

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


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`, the form of every time on the wire: `2026-11-23T10:00:05.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
