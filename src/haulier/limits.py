"""What each role may do: rate, quota, running cap, weight. Pure."""

import re
from enum import StrEnum

import msgspec


class Role(StrEnum):
    """A caller's role, from the token's `role` claim."""

    FREE = "free"
    PREMIUM = "premium"
    ADMIN = "admin"


class RoleLimits(msgspec.Struct, frozen=True):
    """Limits of one role; None means unlimited.

    `running` counts a user's jobs, `role_running` those of all the role's users. `weight` is a user's share in the fair
    order, above 0.
    """

    rate_per_minute: int | None = None
    quota_per_day: int | None = None
    running: int | None = None
    role_running: int | None = None
    weight: float = 1.0


FREE = RoleLimits(rate_per_minute=10, quota_per_day=50, running=3, weight=1.0)
PREMIUM = RoleLimits(rate_per_minute=10, quota_per_day=1_000, running=10, weight=10.0)
ADMIN = RoleLimits(weight=10.0)

_NAMES = {
    "rate": "rate_per_minute",
    "quota": "quota_per_day",
    "running": "running",
    "role_running": "role_running",
    "weight": "weight",
}
_PART = re.compile(r"(?P<name>[a-z_]+)=(?P<value>unlimited|-?\d+(?:\.\d+)?)")


def parse_limits(text: str, *, default: RoleLimits) -> RoleLimits:
    """Read `rate=10,quota=50,running=3,weight=1`; parts left out keep `default`, `unlimited` lifts a limit.

    Raises ValueError with a sentence that says which part is wrong.
    """
    changes: dict[str, float | int | None] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PART.fullmatch(part)
        if match is None or match["name"] not in _NAMES:
            raise ValueError(
                f"{part!r} is not one of {', '.join(f'{name}=N' for name in _NAMES)} (N a number or 'unlimited')"
            )
        if _NAMES[match["name"]] in changes:
            raise ValueError(f"{match['name']} stands twice")
        changes[_NAMES[match["name"]]] = _value(match["name"], match["value"])
    return msgspec.structs.replace(default, **changes)


def _value(name: str, text: str) -> float | int | None:
    if name == "weight":
        if text == "unlimited" or not 0 < float(text) <= 1_000:
            raise ValueError("weight must be a number above 0 and at most 1000")
        return float(text)
    if text == "unlimited":
        return None
    if "." in text or int(text) < 1:
        raise ValueError(f"{name} must be a whole number from 1, or 'unlimited'")
    return int(text)
