"""Reading jobs and their history."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from haulier.estimates import Depth
from haulier.job import Job, Status
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile
from haulier.ledger.records import job_from

PLACES_COUNTED = 1_000  # by the query place_in_line; beyond it `depth` tells


class JobQueries(QueryFile, file="jobs.sql"):
    job_by_id: One
    jobs_of_user: Many
    count_jobs_of_user: One
    place_in_line: One
    line: Many
    users_at_cap: Many
    depth: Many
    durations: Many
    fleet: One


class Duration(msgspec.Struct, frozen=True):
    """Quartiles of the seconds that attempts of one kind took. `size_class` is floor(log10(bytes)); None: all."""

    preparer: str
    size_class: int | None
    samples: int
    low_s: float
    median_s: float
    high_s: float


class Fleet(msgspec.Struct, frozen=True):
    """Slots of all workers alive, and how many of them run an attempt."""

    slots: int
    running: int


class Place(msgspec.Struct, frozen=True):
    """Where a waiting job stands. `in_engine` and `in_line` count the jobs ahead of it, each up to PLACES_COUNTED.

    `at_cap`: its user runs as many jobs as they may, so that the job would wait with free slots as well.
    """

    in_engine: int
    in_line: int
    at_cap: bool


class Line(msgspec.Struct, frozen=True):
    """The head of the line: how many are ahead of each job in the engine, and of each of the PLACES_COUNTED before it.

    `last_tag`: jobs with a later fair tag are behind all of these; None when there are no others.
    """

    in_engine: Mapping[UUID, int]
    in_line: Mapping[UUID, int]
    last_tag: float | None
    at_cap: frozenset[str]

    def place_of(self, job: Job) -> Place | None:
        """The place of a queued job; None when it is not in line, or was not when this was read."""
        at_cap = job.user_id in self.at_cap
        if (ahead := self.in_engine.get(job.id)) is not None:
            return Place(ahead, 0, at_cap)
        ahead = self.in_line.get(job.id)
        if ahead is None and self._is_behind(job):
            ahead = PLACES_COUNTED
        return None if ahead is None else Place(len(self.in_engine), ahead, at_cap)

    def _is_behind(self, job: Job) -> bool:
        return self.last_tag is not None and not job.handed and job.retry_at is None and job.fair_tag > self.last_tag


class Jobs:
    """Queries about jobs; nothing here changes one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, job_id: UUID) -> Job | None:
        """The job, whoever owns it; None when there is none."""
        row = await self._database.run(JobQueries.job_by_id, job_id=job_id)
        return job_from(row) if row else None

    async def of_user(
        self, user_id: str, *, status: Status | None, limit: int, skip: int = 0, before: UUID | None = None
    ) -> list[Job]:
        """A user's jobs, newest first: `skip` counts from the newest, or from the job `before` (exclusive)."""
        rows = await self._database.run(
            JobQueries.jobs_of_user, user_id=user_id, status=status, before=before, skip=skip, count=limit
        )
        return [job_from(row) for row in rows]

    async def count_of_user(self, user_id: str, *, status: Status | None) -> int:
        """How many jobs the user has."""
        row = await self._database.run(JobQueries.count_jobs_of_user, user_id=user_id, status=status)
        return row["total"] if row else 0

    async def place_in_line(self, job_id: UUID) -> Place | None:
        """Who is ahead of the job; None when it does not wait. Costs the same at any depth of the backlog."""
        row = await self._database.run(JobQueries.place_in_line, job_id=job_id)
        return Place(row["in_engine"], row["in_line"], bool(row["at_cap"])) if row else None

    async def line(self) -> Line:
        """The head of the line. Costs the same at any depth of the backlog: some milliseconds at most."""
        rows = await self._database.run(JobQueries.line)
        capped = await self._database.run(JobQueries.users_at_cap)
        waiting = [row for row in rows if not row["handed"]]
        return Line(
            in_engine={row["id"]: row["ahead"] for row in rows if row["handed"]},
            in_line={row["id"]: row["ahead"] for row in waiting},
            last_tag=max(row["fair_tag"] for row in waiting) if len(waiting) >= PLACES_COUNTED else None,
            at_cap=frozenset(row["user_id"] for row in capped),
        )

    async def depth(self) -> Depth:
        """The shape of the whole backlog: reads all of it, about 50 ms for 100,000 jobs."""
        rows = await self._database.run(JobQueries.depth)
        return Depth(tuple(row["fair_tag"] for row in rows), tuple(row["nth"] for row in rows))

    async def durations(self) -> list[Duration]:
        """Quartiles over the last 2,000 completed attempts, by preparer and by preparer and size class."""
        rows = await self._database.run(JobQueries.durations)
        return [Duration(row["preparer"], row["size_class"], row["samples"], *row["quartiles"]) for row in rows]

    async def fleet(self) -> Fleet:
        """The workers alive and their load."""
        row = await self._database.run(JobQueries.fleet)
        assert row is not None
        return Fleet(row["slots"], row["running"])
