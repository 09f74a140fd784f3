"""When a delivery is tried again. Pure."""

from datetime import timedelta
from random import Random

# As Standard Webhooks proposes: quick for a hiccup, then over more than three days for an outage.
WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_ATTEMPTS = len(WAITS_S) + 1
JITTER = 0.2
LONGEST_S = 86_400


def wait_after(tries: int, *, rng: Random, after_s: float | None = None) -> timedelta | None:
    """Wait after `tries` (from 1) failed attempts: 5 s up to 24 h, ± 20 % jitter; None when that was the last one.

    `after_s` is what the receiver asks for: never sooner, but LONGEST_S at most.
    """
    if tries >= MOST_ATTEMPTS:
        return None
    wait_s = WAITS_S[max(tries, 1) - 1] * rng.uniform(1 - JITTER, 1 + JITTER)
    return timedelta(seconds=max(wait_s, min(after_s or 0.0, LONGEST_S)))
