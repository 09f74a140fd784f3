"""Waiting for a child to answer, with a reason for the user when it does not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from haulier.embedded.supervisor import Kept
from haulier.errors import ConfigurationError

POLL_S = 0.01
LAST_LINES = 6


async def until_ready(
    kept: Kept,
    check: Callable[[], Awaitable[bool]],
    *,
    within_s: float = 30.0,
    deaths: int = 3,
    why: Callable[[], str] = lambda: "",
) -> None:
    """Return when `check` is true. ConfigurationError after `within_s`, or when the child has died `deaths` times.

    A few deaths are no defect: a killed predecessor's remains can make a first start fail. `why` says what the last
    check saw.
    """
    try:
        async with asyncio.timeout(within_s):
            while not await check():
                if kept.deaths >= deaths:
                    raise ConfigurationError(problems=_reason(kept, f"ended ({kept.last_words})"))
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise ConfigurationError(problems=_reason(kept, f"is not ready after {within_s:g} s{why()}")) from None


def _reason(kept: Kept, what: str) -> str:
    name, path = kept.command.name, kept.command.log
    if path is None:
        return f"{name}: {what}; see its log lines above"
    return f"{name}: {what}; its log {path} ends with:\n{last_lines(path)}"


def last_lines(path: Path, *, most: int = LAST_LINES) -> str:
    """The end of a log, indented; of a large one only the last 4 KiB are read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()[-most:]
    except OSError as error:
        return f"  ({error})"
    return "\n".join(f"  {line}" for line in lines)
