"""Codes are mailed so often that somebody can confirm an address, too seldom to be a nuisance to anybody.

How often says ledger/codes.py.
"""

from datetime import datetime

from haulier.api.ratelimits import seconds_until
from haulier.api.services import Services
from haulier.errors import CodesLimited

LONGEST_S = 30 * 86_400


def limited(again_at: datetime, services: Services) -> CodesLimited:
    """The error of who has to wait until `again_at` for another code."""
    wait_s = seconds_until(again_at, now=services.clock.now(), most=LONGEST_S)
    return CodesLimited(wait_s=wait_s, retry_after_s=wait_s)
