"""What changed of many jobs, in one look: for those who follow jobs and cannot rely on having heard of each change."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from haulier.job import Job
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile
from haulier.ledger.records import job_from

CHANGES_AT_ONCE = 5_000
LISTS_AT_ONCE = 4  # of a process: when all clients come back after a restart, nobody else shall wait behind them


class ChangeQueries(QueryFile, file="changes.sql"):
    changed_jobs: Many
    changed_jobs_of_users: Many
    moment: One
    jobs_alive: Many
    jobs_ended_since: Many


class Changes:
    """Reads what readers do not know yet. Raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._aside = database.aside()
        self._lists = asyncio.Semaphore(LISTS_AT_ONCE)

    async def of_jobs(self, known: Mapping[UUID, int]) -> list[Job]:
        """The jobs whose version is not the `known` one; a job that does not exist is left out."""
        rows = await self._aside.run(ChangeQueries.changed_jobs, ids=list(known.keys()), versions=list(known.values()))
        return [job_from(row) for row in rows]

    async def of_users(self, users: Collection[str], *, within: timedelta) -> AsyncIterator[dict[UUID, int]]:
        """The versions of the jobs of `users` that changed in the time `within` before now, CHANGES_AT_ONCE at a time.

        Not of those whose artefact expired: a job is dated when it ends.
        """
        after = UUID(int=0)
        while True:
            rows = await self._aside.run(
                ChangeQueries.changed_jobs_of_users, users=list(users), within=within, after=after, most=CHANGES_AT_ONCE
            )
            if rows:
                yield {row["id"]: row["version"] for row in rows}
                after = rows[-1]["id"]
            if len(rows) < CHANGES_AT_ONCE:
                return

    async def moment(self) -> datetime:
        """Now, by the ledger's clock: machines that run the API may have another idea of it."""
        row = await self._database.run(ChangeQueries.moment)
        assert row is not None
        return row["now"]

    async def alive(self, user_id: str, *, most: int) -> list[Job]:
        """Jobs of the user that wait or run: those that run first, then the newest."""
        async with self._lists:
            rows = await self._database.run(ChangeQueries.jobs_alive, user_id=user_id, most=most)
        return [job_from(row) for row in rows]

    async def ended_since(self, user_id: str, *, since: datetime, most: int) -> list[Job]:
        """The latest jobs of the user that ended after `since`, the earliest of them first."""
        async with self._lists:
            rows = await self._database.run(ChangeQueries.jobs_ended_since, user_id=user_id, since=since, most=most)
        return [job_from(row) for row in rows]
