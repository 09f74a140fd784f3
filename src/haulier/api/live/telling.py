"""What a live connection tells of jobs: each version once and never an older one, and what moves without a version."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from heapq import heappop, heappush
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
        self._due: list[tuple[float, UUID]] = []  # a heap; an entry counts while its job is due just then
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
            heappush(self._due, (due_at, job.id))
        self._told[job.id] = Told(job.version, rendered.etag, due_at)
        self._told.move_to_end(job.id)
        if len(self._told) > KNOWN_LIMIT:
            forgotten, _ = self._told.popitem(last=False)
            self._waiting.pop(forgotten, None)

    def wait_s(self) -> float:
        """Seconds until a queued job is to be looked at again."""
        first = self._first_due_at()
        return max(max(first, self._look_at) - self._services.clock.monotonic(), 0)

    async def moved(self) -> AsyncIterator[tuple[Job, Rendered]]:
        """Queued jobs whose place is another one than was told. Those that are due longest come first, so
        that each of many has its turn."""
        now = self._services.clock.monotonic()
        if now < self._look_at:
            return
        due: dict[UUID, Job] = {}
        while len(due) < QUEUED_LOOKED_AT and self._first_due_at() <= now:
            _, job_id = heappop(self._due)
            due[job_id] = self._waiting[job_id]
        if due:
            self._look_at = now + LOOK_AGAIN_S
        for job in due.values():
            if rendered := await self.news(job):
                yield job, rendered

    def _first_due_at(self) -> float:
        while self._due:
            due_at, job_id = self._due[0]
            told = self._told.get(job_id)
            if job_id in self._waiting and told is not None and told.due_at == due_at:
                return due_at
            heappop(self._due)  # it was told again meanwhile, or waits no more
        return float("inf")
