"""The repair: one look at the ledger for everything that is read or followed here, so that what no announcement told
becomes known within REPAIR_S, or a little more."""

from datetime import timedelta
from itertools import islice
from uuid import UUID

from haulier.clock import Clock
from haulier.ledger import Ledger
from haulier.live.feeds import Feeds
from haulier.live.snapshots import Snapshots

REPAIR_S = 1.5
JOBS_AT_ONCE = 1_000
OVERLAP_S = 15.0  # a change is dated when its transaction begins, and seen when it has been committed


class Repair:
    """Compares; for `tasks.repeat`."""

    def __init__(self, ledger: Ledger, snapshots: Snapshots, feeds: Feeds, *, clock: Clock) -> None:
        self._ledger = ledger
        self._snapshots = snapshots
        self._feeds = feeds
        self._clock = clock
        self._users_seen_at: float | None = None

    async def step(self) -> float:
        """Look once. Raises LedgerUnavailable: the next look covers the time until then as well."""
        known = self._snapshots.asked_for(self._feeds.by_job)
        await self._compare(known)
        await self._look_at_users()
        return REPAIR_S

    async def _compare(self, known: dict[UUID, int]) -> None:
        left = iter(known.items())
        while some := dict(islice(left, JOBS_AT_ONCE)):
            asked_at = self._clock.monotonic()
            for job in await self._ledger.changes.of_jobs(some):
                self._snapshots.remember(job)
            self._snapshots.confirm(some, at=asked_at)

    async def _look_at_users(self) -> None:
        users = tuple(self._feeds.by_user)
        now = self._clock.monotonic()
        away_s = 0.0 if self._users_seen_at is None else now - self._users_seen_at
        if users:
            async for versions in self._ledger.changes.of_users(users, within=timedelta(seconds=OVERLAP_S + away_s)):
                await self._compare(self._snapshots.behind(versions))
        self._users_seen_at = now
