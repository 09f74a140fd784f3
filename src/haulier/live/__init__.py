"""Live updates: announcements of changes, snapshots of jobs that follow them, feeds for those who follow jobs.

One `Live` per process.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from haulier.clock import Clock
from haulier.ledger import Ledger
from haulier.live.announcements import Announcements, open_announcements
from haulier.live.feeds import Feed, Feeds, changed_at
from haulier.live.repair import Repair
from haulier.live.snapshots import Snapshots
from haulier.settings import Settings
from haulier.tasks import background, repeat

__all__ = ["Announcements", "Feed", "Feeds", "Live", "Snapshots", "changed_at", "open_announcements", "open_live"]


@dataclass(frozen=True, slots=True)
class Live:
    snapshots: Snapshots
    feeds: Feeds


@asynccontextmanager
async def open_live(settings: Settings, *, ledger: Ledger, clock: Clock) -> AsyncGenerator[Live]:
    """Snapshots and feeds that follow announcements, and repair what those missed, during the block."""
    async with open_announcements(settings.redis_url, prefix=settings.redis_prefix) as announcements:
        snapshots = Snapshots(ledger, announcements, clock=clock)
        feeds = Feeds(snapshots, most=settings.live_connections, most_of_user=settings.live_connections_user)
        repair = Repair(ledger, snapshots, feeds, clock=clock)
        looking = repeat(repair.step, name="repair")
        async with announcements.running(), snapshots.reading(), background(looking):
            yield Live(snapshots, feeds)
