"""Server-sent events: one job, or all jobs of the caller."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta
from starlette.types import ASGIApp

from haulier.api.access import own_job
from haulier.api.exchange import PRIVATE, Answer, Exchange
from haulier.api.live.streaming import EventStream, event
from haulier.api.live.telling import Telling, follow
from haulier.api.rendering import Rendered
from haulier.api.requests import job_id_of, query_of
from haulier.api.services import Services
from haulier.errors import LedgerUnavailable
from haulier.job import Job
from haulier.live import Feed

SNAPSHOT_JOBS = 500  # of each kind, alive and ended
OVERLAP = timedelta(seconds=60)  # a job is dated when its transaction begins; clocks of machines differ

_VERSION = re.compile(r"\d{1,9}")
_CURSOR = re.compile(r"\d{1,14}")


class EventsQuery(msgspec.Struct, frozen=True):
    files: Annotated[bool, Meta(description="The state of each file of an archive; false leaves them out.")] = True


async def job_events(exchange: Exchange, services: Services) -> Answer | ASGIApp:
    """The job now and at each change, until it is over; 204 when the client has seen its end already."""
    job_id = job_id_of(exchange)
    query = query_of(exchange, EventsQuery)
    last = exchange.header(b"last-event-id") or ""
    seen = int(last) if _VERSION.fullmatch(last) else 0
    job = own_job(await services.snapshots.at_least(job_id, version=seen), exchange.caller)
    if job.version < seen:
        seen = await _truly_seen(job_id, seen, services)
    if job.is_terminal and job.version <= seen:
        return Answer(status=204, headers=PRIVATE)
    telling = Telling(services, with_files=query.files)
    telling.seen(job_id, version=seen)
    return EventStream(OneJob(job, telling, services), caller=exchange.caller, services=services)


async def _truly_seen(job_id: UUID, seen: int, services: Services) -> int:
    """The version that the client claims to know, unless the ledger knows better: then it is of something else."""
    try:
        newest = await services.snapshots.newest(job_id)
    except LedgerUnavailable:
        return seen
    return seen if newest is not None and newest.version >= seen else 0


async def events(exchange: Exchange, services: Services) -> ASGIApp:
    """All jobs of the caller: those alive and those that ended since the cursor, `ready`, then each change."""
    last = exchange.header(b"last-event-id") or ""
    since = datetime.fromtimestamp(int(last) / 1000, UTC) if _CURSOR.fullmatch(last) else None
    teller = AllJobs(exchange.caller.user_id, services, since=since)
    return EventStream(teller, caller=exchange.caller, services=services)


class OneJob:
    """Tells one job; the event's id is its version."""

    def __init__(self, job: Job, telling: Telling, services: Services) -> None:
        self._job = job
        self._telling = telling
        self._services = services

    @property
    def over(self) -> bool:
        return self._job.is_terminal

    async def begin(self, feed: Feed) -> AsyncIterator[bytes]:
        self._job = follow(feed, self._job, self._services)
        if rendered := await self._telling.news(self._job):
            yield _status(rendered)

    async def tell(self, feed: Feed, *, timeout_s: float) -> AsyncIterator[bytes]:
        for job in await feed.changes(timeout_s=min(timeout_s, self._telling.wait_s())):
            rendered = await self._telling.news(job)
            if rendered or job.is_terminal:  # over, also for a client that claims to have seen more
                self._job = job
            if rendered:
                yield _status(rendered)
        async for _, rendered in self._telling.moved():
            yield _status(rendered)


class AllJobs:
    """Tells all jobs of a user; the event's id is a moment, from which a later connection goes on."""

    over = False

    def __init__(self, user_id: str, services: Services, *, since: datetime | None) -> None:
        self._user_id = user_id
        self._services = services
        self._since = since
        self._cursor = since or services.clock.now()
        self._telling = Telling(services, with_files=False)

    async def begin(self, feed: Feed) -> AsyncIterator[bytes]:
        feed.follow_user(self._user_id)
        changes = self._services.ledger.changes
        jobs: list[Job] = []
        if self._since is not None:
            jobs += await changes.ended_since(self._user_id, since=self._since - OVERLAP, most=SNAPSHOT_JOBS)
        jobs += await changes.alive(self._user_id, most=SNAPSHOT_JOBS)
        for job in jobs:
            self._services.snapshots.remember(job)
            if rendered := await self._telling.news(job):
                yield self._status(job, rendered)
        yield event(b"{}", name=b"ready", id_=self._id())

    async def tell(self, feed: Feed, *, timeout_s: float) -> AsyncIterator[bytes]:
        for job in await feed.changes(timeout_s=min(timeout_s, self._telling.wait_s())):
            if rendered := await self._telling.news(job):
                yield self._status(job, rendered)
        async for job, rendered in self._telling.moved():
            yield self._status(job, rendered)

    def _status(self, job: Job, rendered: Rendered) -> bytes:
        # A job that is over changes once more when its file expires: others ended before that and are not told yet.
        self._cursor = max(self._cursor, job.completed_at or job.updated_at)
        return event(rendered.body, name=b"status", id_=self._id())

    def _id(self) -> str:
        return str(int(self._cursor.timestamp() * 1000))


def _status(rendered: Rendered) -> bytes:
    return event(rendered.body, name=b"status", id_=str(rendered.version))
