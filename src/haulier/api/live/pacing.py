"""How fast a client may talk: a token bucket."""

from haulier.clock import Clock


class Bucket:
    """Holds up to `burst` tokens and gets `per_s` of them a second; full at first."""

    __slots__ = ("_at", "_burst", "_clock", "_left", "_per_s")

    def __init__(self, *, per_s: float, burst: float, clock: Clock) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._at = clock.monotonic()

    def take(self, cost: float = 1.0) -> bool:
        """Take `cost` tokens; False, and none taken, when there are fewer."""
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < cost:
            return False
        self._left -= cost
        return True
