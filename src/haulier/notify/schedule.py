"""When a delivery is tried again. Pure."""

from datetime import timedelta
from random import Random

# As Standard Webhooks proposes: quick for a hiccup, then over more than three days for an outage.
WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_ATTEMPTS = len(WAITS_S) + 1
JITTER = 0.2
LONGEST_S = 86_400
PAUSE_JITTER = 0.1  # nine such pauses are less than the ten days that what is to be told is kept for


def wait_after(tries: int, *, rng: Random) -> timedelta | None:
    """Wait after `tries` (from 1) failed attempts: 5 s up to 24 h, ± 20 % jitter; None when that was the last one."""
    if tries >= MOST_ATTEMPTS:
        return None
    return timedelta(seconds=WAITS_S[max(tries, 1) - 1] * rng.uniform(1 - JITTER, 1 + JITTER))


def pause_of(after_s: float | None, *, rng: Random) -> timedelta | None:
    """How long a receiver is left alone that asks for `after_s` seconds: LONGEST_S at most, and up to 10 % more.

    Never less, and seldom just that: all who were told the same moment would come back at it. None when it asks for
    none.
    """
    if not after_s:
        return None
    return timedelta(seconds=min(after_s, LONGEST_S) * rng.uniform(1, 1 + PAUSE_JITTER))
