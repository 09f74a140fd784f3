"""What a WebSocket follows: single jobs, all jobs of its user, or both, and the messages about them.

A job that was subscribed by itself is told with the states of its files; among all jobs it is told without.
"""

from collections.abc import AsyncGenerator
from uuid import UUID

from msgspec import UNSET, UnsetType

from haulier.api.access import may_see
from haulier.api.auth import Caller
from haulier.api.finding import find_job
from haulier.api.live.all_jobs import AllJobs, moment_of
from haulier.api.live.telling import Telling, follow
from haulier.api.rendering import Rendered
from haulier.api.requests import uuid_of
from haulier.api.services import Services
from haulier.errors import JobNotFound, LedgerUnavailable, TooManySubscriptions
from haulier.job import Job
from haulier.live import Feed
from haulier.wire_live import MOST_SUBSCRIPTIONS

SILENT_S = 1.0

_BEGIN = b'{"type":"status",'


class Following:
    """The subscriptions of one connection. `caller` may be replaced: who may see a job is looked at each time."""

    def __init__(self, feed: Feed, services: Services, *, caller: Caller) -> None:
        self.caller = caller
        self._feed = feed
        self._services = services
        self._jobs: set[UUID] = set()
        self._of_jobs = Telling(services, with_files=True)
        self._of_all: AllJobs | None = None
        self._silent_until = float("-inf")

    async def subscribe(self, text: str) -> bytes:
        """Follow the job named by `text`; answers how it stands, again when it is followed already.

        Raises JobNotFound, TooManySubscriptions, LedgerUnavailable. The last at once for SILENT_S after the ledger was
        silent, so that a client which subscribes to many jobs is not deaf meanwhile.
        """
        job_id = uuid_of(text)
        if job_id is None:
            raise JobNotFound
        if job_id not in self._jobs and len(self._jobs) >= MOST_SUBSCRIPTIONS:
            raise TooManySubscriptions(limit=MOST_SUBSCRIPTIONS)
        job = follow(self._feed, await self._found(job_id), self._services)
        self._jobs.add(job_id)
        self._of_jobs.forget(job_id)
        if self._of_all is not None:
            self._of_all.forget(job_id)
        message = await self.changed(job)
        assert message is not None
        return message

    async def _found(self, job_id: UUID) -> Job:
        clock = self._services.clock
        known = self._services.snapshots.fresh(job_id)
        # Somebody else's is as unknown as none, in how long the answer takes as well.
        if clock.monotonic() < self._silent_until and (known is None or not may_see(known, self.caller)):
            raise LedgerUnavailable
        try:
            return await find_job(job_id, caller=self.caller, services=self._services)
        except LedgerUnavailable:
            self._silent_until = clock.monotonic() + SILENT_S
            raise

    async def subscribe_all(self, *, since: str) -> AsyncGenerator[bytes]:
        """Follow all jobs of the user; tells those that ended since the cursor `since` (empty: none), and those that
        wait or run. Raises LedgerUnavailable."""
        had_all = self._of_all is not None
        jobs = self._of_all = AllJobs(self.caller.user_id, self._services, since=moment_of(since))
        try:
            async for job, rendered in jobs.begin(self._feed):
                if self._telling_of(job) is jobs:
                    yield self._message(rendered, jobs)
        except LedgerUnavailable:
            if not had_all:
                self.unsubscribe_all()
            raise

    @property
    def cursor(self) -> str | UnsetType:
        """How far all jobs of the user have been told, while they are followed."""
        return UNSET if self._of_all is None else self._of_all.cursor

    def unsubscribe(self, text: str) -> None:
        """Follow the job no more; among all jobs it may still be told."""
        job_id = uuid_of(text)
        if job_id is not None and job_id in self._jobs:
            self._leave(job_id)

    def unsubscribe_all(self) -> None:
        """Follow only the jobs that were subscribed by themselves."""
        self._feed.leave_user(self.caller.user_id)
        self._of_all = None

    async def changed(self, job: Job) -> bytes | None:
        """What to tell of a job that changed; None when the client knows it, follows it no more, or may not."""
        telling = self._telling_of(job)
        rendered = await telling.news(job) if telling is not None else None
        if job.is_terminal and job.id in self._jobs:
            self._leave(job.id)
        return None if rendered is None else self._message(rendered, telling)

    async def moved(self) -> AsyncGenerator[bytes]:
        """What to tell of queued jobs whose place is another one."""
        for telling in (self._of_jobs, self._of_all):
            if telling is None:
                continue
            async for job, rendered in telling.moved():
                if self._telling_of(job) is telling:
                    yield self._message(rendered, telling)

    def wait_s(self) -> float:
        """Seconds until `moved` is worth another look."""
        return min(telling.wait_s() for telling in (self._of_jobs, self._of_all) if telling is not None)

    def _telling_of(self, job: Job) -> Telling | AllJobs | None:
        if job.id in self._jobs:
            return self._of_jobs if may_see(job, self.caller) else None
        return self._of_all if job.user_id == self.caller.user_id else None

    def _message(self, rendered: Rendered, telling: Telling | AllJobs | None) -> bytes:
        """The status object, rendered once for all who are told of it, as a message."""
        cursor = b'"cursor":"%b",' % telling.cursor.encode() if isinstance(telling, AllJobs) else b""
        return _BEGIN + cursor + rendered.body[1:]

    def _leave(self, job_id: UUID) -> None:
        self._jobs.discard(job_id)
        self._feed.leave_job(job_id)
        self._of_jobs.forget(job_id)
