"""What senders over HTTP have in common: where they may lead, how an answer is read, and how long it asks to wait."""

import re
from email.utils import parsedate_to_datetime

import httpx

from haulier.addresses import AddressRules
from haulier.clock import Clock
from haulier.settings import Settings

ANSWER_BYTES = 16_384  # read so that a receiver may end its answer, and dropped


def channel_rules(settings: Settings) -> AddressRules:
    """Where channels may lead."""
    return AddressRules(allow_private=settings.channel_allow_private, networks=settings.channel_networks)


async def read_a_little(response: httpx.Response) -> None:
    taken = 0
    async for piece in response.aiter_raw():
        taken += len(piece)
        if taken >= ANSWER_BYTES:
            return


def wait_asked_for(response: httpx.Response, *, clock: Clock) -> float | None:
    """Seconds that the receiver asks to wait, by number or date; None without a sensible one."""
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - clock.now().timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
