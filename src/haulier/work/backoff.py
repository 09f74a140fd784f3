"""How long a job waits between attempts. Pure."""

from datetime import timedelta
from random import Random

FIRST_S = 5.0
LONGEST_S = 300.0
JITTER = 0.2


def backoff(attempts_used: int, rng: Random) -> timedelta:
    """Wait after `attempts_used` (from 1) attempts: 5 s doubled per further attempt, at most 5 min, ± 20 % jitter."""
    wait_s = min(FIRST_S * 2 ** min(attempts_used - 1, 16), LONGEST_S)
    return timedelta(seconds=wait_s * rng.uniform(1 - JITTER, 1 + JITTER))
