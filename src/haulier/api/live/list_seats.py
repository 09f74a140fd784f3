"""How many lists of all jobs one user has made at a time: who connects again and again slows nobody else's."""

import asyncio
from weakref import WeakValueDictionary

LISTS_OF_USER = 2


class ListSeats:
    """A user's lists take turns before they take the seats that all users share."""

    def __init__(self) -> None:
        # Whoever holds one or waits for it keeps it alive.
        self._of_user: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, user_id: str, /) -> asyncio.Semaphore:
        """What to hold while a list of this user is made."""
        return self._of_user.setdefault(user_id, asyncio.Semaphore(LISTS_OF_USER))
