"""Places of waiting jobs: one look at the head of the line serves everybody who asks."""

import asyncio
from collections import OrderedDict
from uuid import UUID

from haulier.clock import Clock
from haulier.errors import LedgerUnavailable
from haulier.job import Job
from haulier.ledger import Jobs, Line, Place
from haulier.silence import answered_within

FRESH_S = 2.0
ANSWER_S = 0.2  # a place is never a reason to wait
ALONE_FRESH_S = 1.0
ALONE_KEPT = 10_000
ALONE_AT_ONCE = 4  # beyond it the last known answer has to do
NEVER = float("-inf")


class Places:
    """Where jobs stand in line, as it was FRESH_S ago at most, or as it was known last when the ledger is silent.

    The ledger is asked for the head of the line, however many jobs are asked about; for a single job only when it is
    not in there: made since, or put back for another attempt.
    """

    def __init__(self, jobs: Jobs, *, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._line: Line | None = None
        self._looked_at = NEVER
        self._silent = False
        self._one_look = asyncio.Lock()
        self._alone: OrderedDict[UUID, tuple[Place | None, float]] = OrderedDict()
        self._asking = 0
        self._no_answer_at = NEVER

    async def of(self, job: Job) -> Place | None:
        """The place of a queued job; None when the ledger does not tell within ANSWER_S."""
        if not self._is_fresh():
            await self._look()
        place = self._line.place_of(job) if self._line else None
        return place or await self._place_alone(job)

    def _is_fresh(self) -> bool:
        return self._clock.monotonic() - self._looked_at < FRESH_S

    async def _look(self) -> None:
        try:
            async with answered_within(ANSWER_S), self._one_look:
                if not self._is_fresh():  # nobody else has looked meanwhile
                    began_at = self._clock.monotonic()
                    self._line, self._looked_at, self._silent = await self._jobs.line(), began_at, False
        except (LedgerUnavailable, TimeoutError):
            self._looked_at, self._silent = self._clock.monotonic(), True

    async def _place_alone(self, job: Job) -> Place | None:
        now = self._clock.monotonic()
        place, seen_at = self._alone.get(job.id, (None, NEVER))
        # One that took too long stands for the others: a list of many jobs would wait for each of them.
        is_slow = self._silent or now - self._no_answer_at < FRESH_S
        if is_slow or now - seen_at < ALONE_FRESH_S or self._asking >= ALONE_AT_ONCE:
            return place
        self._asking += 1
        try:
            async with answered_within(ANSWER_S):
                place = await self._jobs.place_in_line(job.id)
        except (LedgerUnavailable, TimeoutError):
            self._no_answer_at = self._clock.monotonic()
            return place
        finally:
            self._asking -= 1
        self._alone[job.id] = (place, now)
        if len(self._alone) > ALONE_KEPT:
            self._alone.popitem(last=False)
        return place
