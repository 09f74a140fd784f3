"""How many codes are mailed, and how long they are good for."""

import hashlib
from datetime import timedelta

CODE_LIFE = timedelta(minutes=30)
CODES_OF_USER = 10
CODES_TO_ADDRESS = 3


def address_hash(address: str) -> str:
    """What the ledger keeps of an address to count its codes by."""
    return hashlib.sha256(address.lower().encode()).hexdigest()
