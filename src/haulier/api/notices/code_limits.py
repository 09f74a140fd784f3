"""How many codes are mailed: so many that somebody can confirm an address, too few to be a nuisance to anybody."""

from haulier.api.exchange import Exchange
from haulier.api.ratelimits import seconds_until
from haulier.api.services import Services
from haulier.errors import CodesLimited

DAY_S = 86_400


async def admit_code(address: str, exchange: Exchange, services: Services) -> None:
    """Count a code that is to be mailed to `address`. Raises CodesLimited."""
    again_at = await services.ledger.confirming.count_code(exchange.caller.user_id, address=address)
    if again_at is not None:
        wait_s = seconds_until(again_at, now=services.clock.now(), most=DAY_S)
        raise CodesLimited(wait_s=wait_s, retry_after_s=wait_s)
