"""The leader's loop: what is due, in which rhythm. Every worker process runs one; one of them leads."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from haulier.clock import Clock
from haulier.dispatch.handover import hand_over, reconcile
from haulier.dispatch.sweeping import expire_artefacts, forget, sweep_builds, sweep_orphans, sweep_records
from haulier.engine import Engine
from haulier.errors import LedgerUnavailable, Unavailable
from haulier.ledger import Leadership, Ledger
from haulier.live import Announcements
from haulier.observe.events import DISPATCH_ENDED_LOST, DISPATCH_LEADING, LOOP_DEPENDENCY_AWAY
from haulier.storage import Storage

log = structlog.get_logger()

LEAD_CHECK_S = 1.0
CANDIDATE_S = 2.0
END_LOST_S = 1.0
RECONCILE_S = 1.0
EXPIRE_S = 30.0
SWEEP_RECORDS_S = 300.0
SWEEP_BUILDS_S = 60.0
SWEEP_ORPHANS_S = 900.0
FORGET_S = 600.0
LONGEST_WAIT_S = 1.0
# Nudges closer together than this are answered by one look, so that a busy fleet does not flood the ledger.
SHORTEST_WAIT_S = 0.02


class Dispatcher:
    """Hands over, reconciles and sweeps while it leads."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        engine: Engine,
        storage: Storage,
        announcements: Announcements,
        leadership: Leadership,
        lease_s: float,
        longest_upload_s: float,
        jobs_kept_s: float,
        events_kept_s: float,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._storage = storage
        self._announcements = announcements
        self._leadership = leadership
        self._lease_s = lease_s
        self._longest_upload_s = longest_upload_s
        self._jobs_kept = timedelta(seconds=jobs_kept_s)
        self._events_kept = timedelta(seconds=events_kept_s)
        self._clock = clock
        self._nudged = asyncio.Event()
        self._leads_until = float("-inf")
        self._leads = False
        self._answered_s: float | None = None  # when the ledger last told us who leads
        now_s = clock.monotonic()
        self._duties: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
            ("end_lost", END_LOST_S, self._end_lost),
            ("reconcile", RECONCILE_S, self._reconcile),
            ("expire", EXPIRE_S, self._expire),
            ("sweep_records", SWEEP_RECORDS_S, self._sweep_records),
            ("sweep_builds", SWEEP_BUILDS_S, self._sweep_builds),
            ("forget", FORGET_S, self._forget),
            ("sweep_orphans", SWEEP_ORPHANS_S, self._sweep_orphans),
        ]
        self._due: dict[str, float] = {name: now_s for name, _, _ in self._duties}

    def nudge(self) -> None:
        """There is something to hand over, or room for it."""
        self._nudged.set()

    async def step(self) -> float:
        """Do what is due and wait for the next thing; for `tasks.repeat`. Answers 0: it waits by itself."""
        if not await self._lead():
            await asyncio.sleep(CANDIDATE_S)
            return 0
        await self._fulfil_duties()
        handed = await hand_over(self._ledger.backlog, self._engine)
        await self._pause(busy=handed > 0)
        return 0

    async def _lead(self) -> bool:
        now_s = self._clock.monotonic()
        if self._leads and now_s < self._leads_until:
            return True
        led_before, self._leads = self._leads, False
        try:
            self._leads = await self._leadership.held()
        except LedgerUnavailable:
            self._answered_s = float("-inf")
            return False
        self._leads_until = now_s + LEAD_CHECK_S
        if self._leads and not led_before:
            log.info(DISPATCH_LEADING)
            if self._ledger_was_away(now_s):
                # Workers could not renew their leases meanwhile: they get one lease of patience.
                self._due["end_lost"] = now_s + self._lease_s
        self._answered_s = now_s
        return self._leads

    def _ledger_was_away(self, now_s: float) -> bool:
        """Whether it did not answer us lately; who has just started knows only whether it has just started, too."""
        if self._answered_s is None:
            return self._leadership.server_age_s < self._lease_s
        return now_s - self._answered_s > 2 * CANDIDATE_S

    async def _fulfil_duties(self) -> None:
        """Run each duty that is due; one that meets an absent dependency does not hold up the others."""
        for name, interval_s, duty in self._duties:
            if self._clock.monotonic() < self._due[name]:
                continue
            self._due[name] = self._clock.monotonic() + interval_s
            try:
                await duty()
            except Unavailable as error:
                log.warning(LOOP_DEPENDENCY_AWAY, loop=name, code=error.code)

    async def _pause(self, *, busy: bool) -> None:
        await asyncio.sleep(SHORTEST_WAIT_S)
        if busy:
            return
        due_s = await self._ledger.backlog.seconds_to_next_due()
        wait_s = LONGEST_WAIT_S if due_s is None else min(max(due_s, 0.0), LONGEST_WAIT_S)
        try:
            await asyncio.wait_for(self._nudged.wait(), max(wait_s, SHORTEST_WAIT_S))
            self._nudged.clear()
        except TimeoutError:
            pass

    async def _end_lost(self) -> None:
        for job in (ended := await self._ledger.attempts.end_lost()):
            self._announcements.changed(job)
        if ended:
            log.info(DISPATCH_ENDED_LOST, jobs=len(ended))

    async def _reconcile(self) -> None:
        await reconcile(self._ledger.backlog, self._engine)

    async def _expire(self) -> None:
        for job in await expire_artefacts(self._ledger, self._storage):
            self._announcements.changed(job)

    async def _sweep_records(self) -> None:
        await sweep_records(self._ledger, self._engine)

    async def _sweep_builds(self) -> None:
        await sweep_builds(self._ledger, self._storage)

    async def _forget(self) -> None:
        await forget(self._ledger, jobs_after=self._jobs_kept, events_after=self._events_kept)

    async def _sweep_orphans(self) -> None:
        await sweep_orphans(self._ledger, self._storage, now=self._clock.now(), longest_upload_s=self._longest_upload_s)
