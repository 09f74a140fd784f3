"""What a live connection tells of jobs: each version once and never an older one, and what moves without a version."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from heapq import nsmallest
from uuid import UUID

import msgspec

from haulier.api.rendering import Rendered
from haulier.api.services import Services
from haulier.job import Job, Status
from haulier.live import Feed

LOOK_AGAIN_S = 2.0  # at the earliest, at where a queued job stands: its place moves without a new version
QUEUED_LOOKED_AT = 20  # in LOOK_AGAIN_S, of those that one connection follows: the others have their turn next
KNOWN_LIMIT = 10_000


def follow(feed: Feed, job: Job, services: Services) -> Job:
    """Follow a job that was just read; answers it as it is now: what changed since it was read was told to feeds that
    this one did not belong to yet."""
    feed.follow_job(job.id)
    return services.snapshots.fresh(job.id) or job


class Told(msgspec.Struct):
    """What a connection has been told of a job. `due_at` is when to look again (monotonic), None: at a new version."""

    version: int
    tag: str = ""
    due_at: float | None = None


class Telling:
    """The jobs of one connection, and what it has been told of them."""

    def __init__(self, services: Services, *, with_files: bool) -> None:
        self._services = services
        self._with_files = with_files
        self._told: OrderedDict[UUID, Told] = OrderedDict()
        self._waiting: dict[UUID, Job] = {}
        self._look_at = float("-inf")

    def seen(self, job_id: UUID, *, version: int) -> None:
        """The client knows this version from an earlier connection: nothing older is to be told."""
        self._told[job_id] = Told(version)

    def forget(self, job_id: UUID) -> None:
        """The connection follows the job no more."""
        self._told.pop(job_id, None)
        self._waiting.pop(job_id, None)

    async def news(self, job: Job) -> Rendered | None:
        """The status of `job` as it is to be told now; None when the client knows as much, or more."""
        told = self._told.get(job.id)
        if told is not None and job.version < told.version:
            return None
        rendered = await self._services.statuses.of(job, with_files=self._with_files)
        self._note(job, rendered)
        return rendered if told is None or rendered.etag != told.tag else None

    def _note(self, job: Job, rendered: Rendered) -> None:
        due_at = None
        self._waiting.pop(job.id, None)
        if job.status is Status.QUEUED:
            due_at = self._services.clock.monotonic() + max(rendered.retry_after_s or 0, LOOK_AGAIN_S)
            self._waiting[job.id] = job
        self._told[job.id] = Told(job.version, rendered.etag, due_at)
        self._told.move_to_end(job.id)
        if len(self._told) > KNOWN_LIMIT:
            forgotten, _ = self._told.popitem(last=False)
            self._waiting.pop(forgotten, None)

    def wait_s(self) -> float:
        """Seconds until a queued job is to be looked at again."""
        first = min((self._due_at(id_) for id_ in self._waiting), default=float("inf"))
        return max(max(first, self._look_at) - self._services.clock.monotonic(), 0)

    async def moved(self) -> AsyncIterator[tuple[Job, Rendered]]:
        """Queued jobs whose place is another one than was told. Those that are due longest come first, so
        that each of many has its turn."""
        now = self._services.clock.monotonic()
        if now < self._look_at:
            return
        due = nsmallest(QUEUED_LOOKED_AT, (id_ for id_ in self._waiting if self._due_at(id_) <= now), key=self._due_at)
        if due:
            self._look_at = now + LOOK_AGAIN_S
        for job in [self._waiting[id_] for id_ in due]:
            if rendered := await self.news(job):
                yield job, rendered

    def _due_at(self, job_id: UUID) -> float:
        told = self._told.get(job_id)
        return 0.0 if told is None or told.due_at is None else told.due_at
