"""What senders over HTTP have in common: how an answer is read, and how long it asks to wait."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from haulier.clock import Clock

BODY_S = 2.0
ANSWER_BYTES = 16_384


async def let_go(response: httpx.Response) -> None:
    """Read so much that the receiver may end its answer, for BODY_S, and close: the status is what counts."""
    try:
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(BODY_S):
                await _read_a_little(response)
    finally:
        await response.aclose()


async def _read_a_little(response: httpx.Response) -> None:
    taken = 0
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for piece in response.stream:
        taken += len(piece)
        if taken >= ANSWER_BYTES:
            return


def wait_asked_for(response: httpx.Response, *, clock: Clock) -> float | None:
    """Seconds that the receiver asks to wait, by number or date; None without a sensible one."""
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)  # RFC 9110, 5.6.7, wherever this worker is
        return max(0.0, (date - clock.now()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
