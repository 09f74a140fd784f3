"""Positions and expected ends of jobs, from what the ledger has measured; never a reason to wait or to fail."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from haulier.clock import Clock
from haulier.errors import LedgerUnavailable
from haulier.estimates import History, Spread, completion, history
from haulier.job import Job, Status
from haulier.ledger import Jobs
from haulier.tasks import background, repeat

REFRESH_S = 5.0
POSITION_FRESH_S = 1.0
POSITIONS_KEPT = 10_000
# A deep backlog makes positions dear: beyond this many questions at a time the last known answer has to do.
POSITIONS_ASKED = 4


class Outlook(msgspec.Struct, frozen=True):
    """What can be said of a job's future; None where nothing is known."""

    position: int | None = None
    completion: datetime | None = None
    spread: Spread | None = None


UNKNOWN = Outlook()


class Estimator:
    """Knows the history of durations (refreshed while it is asked for) and the positions of waiting jobs."""

    def __init__(self, jobs: Jobs, *, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._asked_for = asyncio.Event()
        self._positions: OrderedDict[UUID, tuple[int | None, float]] = OrderedDict()
        self._asking = 0
        self.known = History()

    async def outlook(self, job: Job) -> Outlook:
        """The outlook of `job`; of a queued job with its position, at most POSITION_FRESH_S old."""
        if job.is_terminal:
            return UNKNOWN
        position = await self._position(job) if job.status is Status.QUEUED else None
        return self._outlook(job, position=position, shown=position)

    async def first_outlook(self, job: Job) -> Outlook:
        """The outlook of a job that was just admitted. One that the engine has room for costs no look at the ledger."""
        if job.status is Status.QUEUED and job.handed:
            return self._outlook(job, position=1, shown=None)
        self._asked_for.set()
        if self.known.slots and self.known.spread(job.preparer) is not None:
            return await self.outlook(job)
        return UNKNOWN

    def spread(self, preparer: str, *, size_bytes: int | None = None) -> Spread | None:
        """How long jobs like this took."""
        self._asked_for.set()
        return self.known.spread(preparer, size_bytes=size_bytes)

    def _outlook(self, job: Job, *, position: int | None, shown: int | None) -> Outlook:
        spread = self.spread(job.preparer, size_bytes=job.progress.total)
        expected = completion(job, known=self.known, position=position, now=self._clock.now())
        return Outlook(shown, expected, spread)

    async def _position(self, job: Job) -> int | None:
        now = self._clock.monotonic()
        position, seen_at = self._positions.get(job.id, (None, float("-inf")))
        if now - seen_at < POSITION_FRESH_S or self._asking >= POSITIONS_ASKED:
            return position
        self._asking += 1
        try:
            position = await self._jobs.queue_position(job.id)
        except LedgerUnavailable:
            return position
        finally:
            self._asking -= 1
        self._positions[job.id] = (position, now)
        if len(self._positions) > POSITIONS_KEPT:
            self._positions.popitem(last=False)
        return position

    async def refresh(self) -> None:
        """Read the history anew. Raises LedgerUnavailable and keeps what it knew."""
        durations = await self._jobs.durations()
        fleet = await self._jobs.fleet()
        spreads = (
            (each.preparer, each.size_class, Spread(each.median_s, each.low_s, each.high_s, each.samples))
            for each in durations
        )
        self.known = history(spreads, slots=fleet.slots)

    async def _refresh_when_asked(self) -> float:
        await self._asked_for.wait()
        self._asked_for.clear()
        await self.refresh()
        return REFRESH_S

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Refresh during the block."""
        async with background(repeat(self._refresh_when_asked, name="estimates", on_failure_s=REFRESH_S)):
            yield
