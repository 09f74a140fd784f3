"""How long a caller waits for PostgreSQL, and what spares callers from all waiting for a server that is silent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from haulier.clock import Clock
from haulier.errors import LedgerUnavailable
from haulier.silence import answered_within


class Patience:
    """Gives each call at most `answer_s` seconds (None: as long as it takes).

    Once nothing was answered for that long, one call at a time asks the server and the others fail at once, until it
    answers again: nobody queues behind a silent server.
    """

    def __init__(self, answer_s: float | None, *, clock: Clock) -> None:
        self._answer_s = answer_s
        self._clock = clock
        self._answered_at = float("-inf")
        self._is_silent = False
        self._asking = 0

    def another(self) -> "Patience":
        """As much patience, for calls that are judged apart from these."""
        return Patience(self._answer_s, clock=self._clock)

    @asynccontextmanager
    async def asking(self) -> AsyncGenerator[None]:
        """One call during the block; LedgerUnavailable when its time is over, or at once while the server is silent."""
        if self._is_silent and self._asking:
            raise LedgerUnavailable
        began_at = self._clock.monotonic()
        self._asking += 1
        try:
            async with answered_within(self._answer_s):
                yield
        except TimeoutError as error:
            # Others were answered meanwhile: this statement is slow, the server is not silent.
            self._is_silent = self._is_silent or self._answered_at < began_at
            raise LedgerUnavailable from error
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._answered()
            raise
        else:
            self._answered()
        finally:
            self._asking -= 1

    def _answered(self) -> None:
        self._answered_at = self._clock.monotonic()
        self._is_silent = False
