"""How long a client keeps trying."""

from random import Random

import msgspec

MAX_DOUBLINGS = 30  # a float ends at 1,024 of them, and `watch` tries for ever


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Tries of one request and the waits between them, in seconds.

    The wait starts at `first_s`, doubles up to `longest_s` and varies by ± 20 %; a `Retry-After` replaces it, and one
    longer than `retry_after_max_s` (a used-up daily quota) ends the trying. The default spans about a minute.
    A server that has never answered is more likely a wrong address than a restart: it gets `tries_unseen` tries.
    """

    tries: int = 10
    tries_unseen: int = 3
    first_s: float = 0.5
    longest_s: float = 10.0
    retry_after_max_s: float = 60.0

    def wait_s(self, tries: int, *, rng: Random, retry_after_s: float | None = None) -> float | None:
        """The wait after the failed try number `tries` (from 1), or None to give up. Never shorter than Retry-After."""
        if tries >= self.tries:
            return None
        if retry_after_s is not None:
            return None if retry_after_s > self.retry_after_max_s else retry_after_s + rng.uniform(0, self.first_s)
        doubled_s = self.first_s * 2 ** min(tries - 1, MAX_DOUBLINGS)
        return min(self.longest_s, doubled_s) * rng.uniform(0.8, 1.2)
