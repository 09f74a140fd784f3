"""What each role may do: rate, quota, running cap, weight. Pure."""

import re
from enum import StrEnum

import msgspec

from haulier.durations import seconds_of


class Role(StrEnum):
    """A caller's role, from the token's `role` claim."""

    FREE = "free"
    PREMIUM = "premium"
    ADMIN = "admin"


class RoleLimits(msgspec.Struct, frozen=True):
    """Limits of one role; None means unlimited.

    `running` counts a user's jobs, `role_running` those of all the role's users. `weight` is a user's share in the fair
    order, above 0. `keep_s` is how long prepared files are kept, in seconds; None: as long as the settings say.
    """

    rate_per_minute: int | None = None
    quota_per_day: int | None = None
    running: int | None = None
    role_running: int | None = None
    weight: float = 1.0
    keep_s: int | None = None


FREE = RoleLimits(rate_per_minute=10, quota_per_day=50, running=3, weight=1.0)
PREMIUM = RoleLimits(rate_per_minute=10, quota_per_day=1_000, running=10, weight=10.0)
ADMIN = RoleLimits(weight=10.0)
SHORTEST_KEEP_S = 60
LONGEST_KEEP_S = 10 * 365 * 86_400

_NAMES = {
    "rate": "rate_per_minute",
    "quota": "quota_per_day",
    "running": "running",
    "role_running": "role_running",
    "weight": "weight",
    "keep": "keep_s",
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PART = re.compile(r"(?P<name>[a-z_]+)=(?P<value>unlimited|-?\d+(?:\.\d+)?[a-z]?)")


def parse_limits(text: str, *, default: RoleLimits) -> RoleLimits:
    """Read `rate=10,quota=50,running=3,weight=1,keep=24h`; parts left out keep `default`, `unlimited` lifts a limit.

    Raises ValueError with a sentence that says which part is wrong.
    """
    changes: dict[str, float | int | None] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PART.fullmatch(part)
        if match is None or match["name"] not in _NAMES:
            raise ValueError(
                f"{part!r} is not one of {', '.join(f'{name}=N' for name in _NAMES)}"
                " (N a number or 'unlimited', for keep a duration like 24h)"
            )
        if _NAMES[match["name"]] in changes:
            raise ValueError(f"{match['name']} stands twice")
        changes[_NAMES[match["name"]]] = _value(match["name"], match["value"])
    return msgspec.structs.replace(default, **changes)


def _value(name: str, text: str) -> float | int | None:
    if name == "keep":
        return _keep_s(text)
    if name == "weight":
        if not _NUMBER.fullmatch(text) or not 0 < float(text) <= 1_000:
            raise ValueError("weight must be a number above 0 and at most 1000")
        return float(text)
    if text == "unlimited":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number from 1, or 'unlimited'")
    return int(text)


def _keep_s(text: str) -> int:
    try:
        keep_s = seconds_of(text)
    except ValueError:
        keep_s = 0
    if not SHORTEST_KEEP_S <= keep_s <= LONGEST_KEEP_S:
        raise ValueError("keep must be a duration from 60s to 3650d, like 3600, 30m, 24h or 7d")
    return keep_s
