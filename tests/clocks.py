"""Clocks in the hands of tests: a process's, and the ledger's."""

from datetime import UTC, datetime, timedelta

from haulier.clock import SYSTEM_CLOCK, SystemClock

MORNING = datetime(2026, 11, 23, 10, tzinfo=UTC)


class HandClock:
    """Stands at `began` until `passed_s` is set."""

    def __init__(self, began: datetime = MORNING) -> None:
        self.began = began
        self.passed_s = 0.0

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s


class AheadClock(SystemClock):
    """The machine's clock, but for its date, which is `ahead_s` seconds later."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)


def minutes_to_one_o_clock() -> float:
    """Minutes until 01:00 UTC of the next day."""
    now = SYSTEM_CLOCK.now()
    return 25 * 60 - (now.hour * 60 + now.minute + now.second / 60)


def later_by(seconds: float) -> str:
    """The statement after which it is so much later for a database than it is."""
    return (
        "create or replace function haulier_now() returns timestamptz language sql stable parallel safe"
        f" as $$ select now() + interval '{seconds} seconds' $$"
    )
