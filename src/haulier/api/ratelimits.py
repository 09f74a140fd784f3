"""The headers that tell a client how much of its limits is left (draft-ietf-httpapi-ratelimit-headers). Pure."""

import math
from datetime import datetime

import msgspec

from haulier.ledger import Admission, Allowance, BatchAdmission
from haulier.limits import RoleLimits

MINUTE_S = 60
DAY_S = 86_400


class _Window(msgspec.Struct, frozen=True):
    name: str
    limit: int
    length_s: int
    remaining: int
    reset_s: int


def rate_limit_headers(
    admission: Admission | BatchAdmission, limits: RoleLimits, *, now: datetime
) -> list[tuple[bytes, bytes]]:
    """RateLimit-Policy, RateLimit and the older three of the tighter window; none for a role without limits."""
    windows = [
        _window(name, limit, length_s, allowance, now=now)
        for name, limit, length_s, allowance in (
            ("minute", limits.rate_per_minute, MINUTE_S, admission.rate),
            ("day", limits.quota_per_day, DAY_S, admission.quota),
        )
        if limit is not None
    ]
    if not windows:
        return []
    tighter = min(windows, key=lambda window: window.remaining)
    policy = ", ".join(f'"{window.name}";q={window.limit};w={window.length_s}' for window in windows)
    state = ", ".join(f'"{window.name}";r={window.remaining};t={window.reset_s}' for window in windows)
    return [
        (b"ratelimit-policy", policy.encode()),
        (b"ratelimit", state.encode()),
        (b"ratelimit-limit", str(tighter.limit).encode()),
        (b"ratelimit-remaining", str(tighter.remaining).encode()),
        (b"ratelimit-reset", str(tighter.reset_s).encode()),
    ]


def seconds_until(moment: datetime, *, now: datetime, most: int) -> int:
    """Whole seconds to wait, 1 to `most`: the ledger's clock set `moment`, ours may differ."""
    return min(max(math.ceil((moment - now).total_seconds()), 1), most)


def _window(name: str, limit: int, length_s: int, allowance: Allowance | None, *, now: datetime) -> _Window:
    """A window without an allowance has not been touched yet."""
    if allowance is None:
        return _Window(name, limit, length_s, limit, length_s)
    reset_s = seconds_until(allowance.resets_at, now=now, most=length_s)
    return _Window(name, limit, length_s, max(limit - allowance.used, 0), reset_s)
