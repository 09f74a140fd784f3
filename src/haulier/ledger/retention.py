"""What is over: expired artefacts, builds nobody goes on with, and records whose time has come."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import msgspec

from haulier.job import Job
from haulier.ledger.builds import KeptUpload
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Exec, Many, QueryFile
from haulier.ledger.records import job_from

EXPIRED_AT_ONCE = 500
FORGOTTEN_AT_ONCE = 5_000


class RetentionQueries(QueryFile, file="retention.sql"):
    expire_artefacts: Many
    keys_in_use: Many
    uploads_in_use: Many
    sweep_builds: Many
    forget_jobs: Many
    forget_events: Many
    forget_deliveries: Many
    forget_batches: Many
    forget_users: Many
    sweep_idempotency: Exec
    sweep_usage: Exec


class Expired(msgspec.Struct, frozen=True):
    """Jobs whose artefacts have expired, and the keys of objects that no other job has. `more`: ask again."""

    jobs: tuple[Job, ...]
    keys: frozenset[str]
    more: bool


class Forgotten(msgspec.Struct, frozen=True):
    """How many records were removed. `more`: there were as many as fit into one call, so there may be others."""

    jobs: int
    events: int
    batches: int
    users: int
    deliveries: int
    more: bool


class Retention:
    """Expires and forgets, a bounded number of rows in each statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire_artefacts(self) -> Expired:
        """Mark artefacts whose time is over; deleting the objects that nobody has any more is the caller's."""
        rows = await self._database.run(RetentionQueries.expire_artefacts, most=EXPIRED_AT_ONCE)
        return Expired(
            jobs=tuple(job_from(row["job"]) for row in rows),
            keys=frozenset(row["job"]["artefact_key"] for row in rows if row["last"]),
            more=len(rows) == EXPIRED_AT_ONCE,
        )

    async def keys_in_use(self, owners: Mapping[str, tuple[UUID, int]]) -> set[str]:
        """Of these objects, by the (job, attempt) that stored each, the ones that somebody has or works on."""
        rows = await self._database.run(
            RetentionQueries.keys_in_use,
            keys=list(owners),
            job_ids=[job_id for job_id, _ in owners.values()],
            attempts=[attempt for _, attempt in owners.values()],
        )
        return {row["key"] for row in rows}

    async def uploads_in_use(self) -> set[str]:
        """Handles of uploads that must not be swept."""
        return {row["upload_handle"] for row in await self._database.run(RetentionQueries.uploads_in_use)}

    async def sweep_builds(self) -> list[KeptUpload]:
        """Forget builds that nobody goes on with; what they have uploaded is the caller's to abort."""
        rows = await self._database.run(RetentionQueries.sweep_builds)
        return [KeptUpload(row["upload_key"], row["upload_handle"]) for row in rows if row["upload_key"]]

    async def sweep(self) -> None:
        """Forget idempotency keys and counts of limits that are long over."""
        await self._database.run(RetentionQueries.sweep_idempotency)
        await self._database.run(RetentionQueries.sweep_usage)

    async def forget(self, *, jobs_after: timedelta, events_after: timedelta) -> Forgotten:
        """Remove up to FORGOTTEN_AT_ONCE records of each kind that are over for so long, and users without any."""
        jobs = await self._forget(RetentionQueries.forget_jobs, age=jobs_after)
        events = await self._forget(RetentionQueries.forget_events, age=events_after)
        batches = await self._forget(RetentionQueries.forget_batches, age=jobs_after)
        users = await self._forget(RetentionQueries.forget_users)
        deliveries = await self._forget(RetentionQueries.forget_deliveries, age=jobs_after)
        most = max(jobs, events, batches, users, deliveries)
        return Forgotten(jobs, events, batches, users, deliveries, more=most == FORGOTTEN_AT_ONCE)

    async def _forget(self, query: Many, **values: timedelta) -> int:
        return len(await self._database.run(query, most=FORGOTTEN_AT_ONCE, **values))
