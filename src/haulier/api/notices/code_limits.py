"""Codes are mailed so often that somebody can confirm an address, too seldom to be a nuisance to anybody.

How often says ledger/confirming.py.
"""

from datetime import datetime

from haulier.api.exchange import Exchange
from haulier.api.ratelimits import seconds_until
from haulier.api.services import Services
from haulier.errors import CodesLimited

LONGEST_S = 30 * 86_400


async def admit_code(address: str, exchange: Exchange, services: Services) -> None:
    """Count a code that is to be mailed to `address`. Raises CodesLimited."""
    again_at = await services.ledger.confirming.count_code(exchange.caller.user_id, address=address)
    if again_at is not None:
        raise limited(again_at, services)


def limited(again_at: datetime, services: Services) -> CodesLimited:
    """The error of who has to wait until `again_at` for another code."""
    wait_s = seconds_until(again_at, now=services.clock.now(), most=LONGEST_S)
    return CodesLimited(wait_s=wait_s, retry_after_s=wait_s)
