"""Durations as settings write them: `3600`, `90s`, `30m`, `24h`, `7d`. Pure."""

import re

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,9})\s*([smhd]?)", re.ASCII)


def seconds_of(text: str) -> int:
    """Seconds of a whole number and its unit: s (or none), m, h, d. Raises ValueError with a sentence."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration like 3600, 90s, 30m, 24h, 7d")
    return int(match[1]) * _UNITS[match[2]]
