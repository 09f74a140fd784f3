"""What the dispatcher asks of the ledger: the backlog in fair order, what should be in the engine."""

from collections.abc import Sequence
from datetime import timedelta

from haulier.job import Handed
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile
from haulier.ledger.records import handed_from


class BacklogQueries(QueryFile, file="backlog.sql"):
    take_for_hand_over: Many
    unclaimed: Many
    take_back: Many
    next_due: One


class Backlog:
    """Queued jobs, and the marks of which of them the engine holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, *, most: int) -> list[Handed]:
        """Mark up to `most` jobs as handed over, and answer them in fair order; the caller hands them to the engine."""
        return [handed_from(row) for row in await self._database.run(BacklogQueries.take_for_hand_over, most=most)]

    async def unclaimed(self, *, age: timedelta) -> list[Handed]:
        """Hand-overs at least `age` old that no worker has claimed."""
        return [handed_from(row) for row in await self._database.run(BacklogQueries.unclaimed, age=age)]

    async def take_back(self, missing: Sequence[Handed]) -> int:
        """Return hand-overs that the engine does not hold to the backlog; how many were."""
        rows = await self._database.run(
            BacklogQueries.take_back,
            job_ids=[handed.job_id for handed in missing],
            handovers=[handed.handover for handed in missing],
        )
        return len(rows)

    async def seconds_to_next_due(self) -> float | None:
        """Seconds until the next job that is not in line gets there (negative: overdue), or None."""
        row = await self._database.run(BacklogQueries.next_due)
        return row["seconds"] if row else None
