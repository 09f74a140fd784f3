"""What a WebSocket follows: single jobs, all jobs of its user, or both, and the messages about them.

A job that was subscribed by itself is told with the states of its files; among all jobs it is told without.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from haulier.api.access import own_job
from haulier.api.auth import Caller
from haulier.api.live.events import SNAPSHOT_JOBS
from haulier.api.live.telling import Telling, follow
from haulier.api.rendering import Rendered
from haulier.api.requests import uuid_of
from haulier.api.services import Services
from haulier.errors import JobNotFound, LedgerUnavailable, TooManySubscriptions
from haulier.job import Job
from haulier.live import Feed
from haulier.wire_live import MOST_SUBSCRIPTIONS

_BEGIN = b'{"type":"status",'


class Following:
    """The subscriptions of one connection. `caller` may be replaced: who may see a job is looked at each time."""

    def __init__(self, feed: Feed, services: Services, *, caller: Caller) -> None:
        self.caller = caller
        self._feed = feed
        self._services = services
        self._jobs: set[UUID] = set()
        self._has_all = False
        self._of_jobs = Telling(services, with_files=True)
        self._of_all = Telling(services, with_files=False)

    async def subscribe(self, text: str) -> bytes:
        """Follow the job named by `text`; answers how it stands, again when it is followed already.

        Raises JobNotFound, TooManySubscriptions, LedgerUnavailable.
        """
        job_id = uuid_of(text)
        if job_id is None:
            raise JobNotFound
        if job_id not in self._jobs and len(self._jobs) >= MOST_SUBSCRIPTIONS:
            raise TooManySubscriptions(limit=MOST_SUBSCRIPTIONS)
        job = own_job(await self._services.snapshots.get(job_id), self.caller)
        self._jobs.add(job_id)
        job = follow(self._feed, job, self._services)
        self._of_jobs.forget(job_id)
        self._of_all.forget(job_id)
        message = await self.changed(job)
        assert message is not None
        return message

    async def subscribe_all(self) -> AsyncIterator[bytes]:
        """Follow all jobs of the user; tells those that wait or run. Raises LedgerUnavailable."""
        user_id, had_all = self.caller.user_id, self._has_all
        self._feed.follow_user(user_id)
        self._has_all = True
        self._of_all = Telling(self._services, with_files=False)
        try:
            jobs = await self._services.ledger.changes.alive(user_id, most=SNAPSHOT_JOBS)
        except LedgerUnavailable:
            if not had_all:
                self.unsubscribe_all()
            raise
        for job in jobs:
            self._services.snapshots.remember(job)
            if message := await self.changed(job):
                yield message

    def unsubscribe(self, text: str) -> None:
        """Follow the job no more; among all jobs it may still be told."""
        job_id = uuid_of(text)
        if job_id is not None and job_id in self._jobs:
            self._leave(job_id)

    def unsubscribe_all(self) -> None:
        """Follow only the jobs that were subscribed by themselves."""
        self._feed.leave_user(self.caller.user_id)
        self._has_all = False
        self._of_all = Telling(self._services, with_files=False)

    async def changed(self, job: Job) -> bytes | None:
        """What to tell of a job that changed; None when the client knows it, follows it no more, or may not."""
        telling = self._telling_of(job)
        rendered = await telling.news(job) if telling is not None else None
        if job.is_terminal and job.id in self._jobs:
            self._leave(job.id)
        return None if rendered is None else _message(rendered)

    async def moved(self) -> AsyncIterator[bytes]:
        """What to tell of queued jobs whose place or estimate is another one."""
        for telling in (self._of_jobs, self._of_all):
            async for job, rendered in telling.moved():
                if self._telling_of(job) is telling:
                    yield _message(rendered)

    def wait_s(self) -> float:
        """Seconds until `moved` is worth another look."""
        return min(self._of_jobs.wait_s(), self._of_all.wait_s())

    def _telling_of(self, job: Job) -> Telling | None:
        is_own = job.user_id == self.caller.user_id
        if job.id in self._jobs:
            return self._of_jobs if is_own or self.caller.is_admin else None
        return self._of_all if self._has_all and is_own else None

    def _leave(self, job_id: UUID) -> None:
        self._jobs.discard(job_id)
        self._feed.leave_job(job_id)
        self._of_jobs.forget(job_id)


def _message(rendered: Rendered) -> bytes:
    """The status object, rendered once for all who are told of it, as a message."""
    return _BEGIN + rendered.body[1:]
