"""Positions and expected ends of jobs, from what the ledger has measured; never a reason to wait or to fail."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from haulier.api.places import Places
from haulier.clock import Clock
from haulier.estimates import Depth, History, Spread, completion, history, waiting_for
from haulier.job import Job, Status, WaitingFor
from haulier.ledger import PLACES_COUNTED, Jobs, Place
from haulier.tasks import background, repeat

REFRESH_S = 5.0
DEPTH_FRESH_S = 5.0
DEPTH_SHARE = 50  # measuring the whole backlog may take a fiftieth of the time


class Outlook(msgspec.Struct, frozen=True):
    """What can be said of a job's future; None where nothing is known."""

    position: int | None = None
    waiting_for: WaitingFor | None = None
    completion: datetime | None = None
    spread: Spread | None = None


UNKNOWN = Outlook()
FIRST = Place(in_engine=0, in_line=0, at_cap=False)


class Estimator:
    """Knows the history of durations and the shape of a deep backlog (refreshed while they are asked for), and the
    places of waiting jobs. `reachable` tells whether the engine can be."""

    def __init__(self, jobs: Jobs, *, clock: Clock, reachable: Callable[[], bool] = lambda: True) -> None:
        self._jobs = jobs
        self._clock = clock
        self._reachable = reachable
        self._asked_for = asyncio.Event()
        self._depth_asked_for = asyncio.Event()
        self._depth = Depth()
        self._places = Places(jobs, clock=clock)
        self.known = History()

    async def outlook(self, job: Job) -> Outlook:
        """The outlook of `job`; of a queued job with its position."""
        if job.is_terminal:
            return UNKNOWN
        return self._outlook(job, await self._places.of(job) if job.status is Status.QUEUED else None)

    async def first_outlook(self, job: Job) -> Outlook:
        """The outlook of a job that was just admitted. One that the engine has room for costs no look at the ledger."""
        if job.status is Status.QUEUED and job.handed:
            return msgspec.structs.replace(self._outlook(job, FIRST), position=None)
        self._asked_for.set()
        if self.known.slots and self.known.spread(job.preparer) is not None:
            return await self.outlook(job)
        return UNKNOWN

    def spread(self, preparer: str, *, size_bytes: int | None = None) -> Spread | None:
        """How long jobs like this took."""
        self._asked_for.set()
        return self.known.spread(preparer, size_bytes=size_bytes)

    def _outlook(self, job: Job, place: Place | None) -> Outlook:
        spread = self.spread(job.preparer, size_bytes=job.progress.total)
        now = self._clock.now()
        position = None if place is None else self._position(job, place)
        manned = self._reachable() and self.known.slots != 0
        reason = waiting_for(job, at_cap=place is not None and place.at_cap, manned=manned, now=now)
        # Who waits for another job of theirs waits for its end, which the queue says nothing about.
        countable = reason != "running_cap"
        return Outlook(
            position=position,
            waiting_for=reason,
            completion=completion(job, known=self.known, position=position, now=now) if countable else None,
            spread=spread,
        )

    def _position(self, job: Job, place: Place) -> int:
        in_line = place.in_line
        if in_line >= PLACES_COUNTED:
            self._depth_asked_for.set()
            in_line = max(in_line, self._depth.ahead_of(job.fair_tag))
        return 1 + place.in_engine + in_line

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

    async def _measure_when_asked(self) -> float:
        await self._depth_asked_for.wait()
        self._depth_asked_for.clear()
        began_s = self._clock.monotonic()
        self._depth = await self._jobs.depth()
        return max(DEPTH_FRESH_S, DEPTH_SHARE * (self._clock.monotonic() - began_s))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Refresh during the block."""
        async with background(
            repeat(self._refresh_when_asked, name="estimates", on_failure_s=REFRESH_S),
            repeat(self._measure_when_asked, name="depth", on_failure_s=DEPTH_FRESH_S),
        ):
            yield
