"""Server-sent events: one job, or all jobs of the caller."""

import re
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.types import ASGIApp

from haulier.api.access import may_see
from haulier.api.exchange import PRIVATE, Answer, Exchange
from haulier.api.finding import find_job
from haulier.api.live.all_jobs import AllJobs, moment_of
from haulier.api.live.streaming import EventStream, event
from haulier.api.live.telling import Telling, follow
from haulier.api.rendering import Rendered
from haulier.api.requests import job_id_of, query_of
from haulier.api.services import Services
from haulier.errors import LedgerUnavailable
from haulier.job import Job
from haulier.live import Feed

_VERSION = re.compile(r"\d{1,9}")


class EventsQuery(msgspec.Struct, frozen=True):
    files: Annotated[bool, Meta(description="The state of each file of an archive; false leaves them out.")] = True


async def job_events(exchange: Exchange, services: Services) -> Answer | ASGIApp:
    """The job now and at each change, until it is over; 204 when the client has seen its end already."""
    job_id = job_id_of(exchange)
    query = query_of(exchange, EventsQuery)
    last = exchange.header(b"last-event-id") or ""
    seen = int(last) if _VERSION.fullmatch(last) else 0
    try:
        job = await find_job(job_id, caller=exchange.caller, services=services, version=seen)
    except LedgerUnavailable:
        job = services.snapshots.fresh(job_id)  # older, and not told
        if job is None or not may_see(job, exchange.caller):
            raise
    else:
        seen = seen if job.version >= seen else 0  # what the client claims to know is of something else
    if job.is_terminal and job.version <= seen:
        return Answer(status=204, headers=PRIVATE)
    telling = Telling(services, with_files=query.files)
    telling.seen(job_id, version=seen)
    return EventStream(OneJob(job, telling, services), caller=exchange.caller, services=services)


async def events(exchange: Exchange, services: Services) -> ASGIApp:
    """All jobs of the caller: those alive and those that ended since the cursor, `ready`, then each change."""
    since = moment_of(exchange.header(b"last-event-id") or "")
    jobs = AllJobs(exchange.caller.user_id, services, since=since)
    return EventStream(OneUser(jobs), caller=exchange.caller, services=services)


class OneJob:
    """Tells one job; the event's id is its version."""

    def __init__(self, job: Job, telling: Telling, services: Services) -> None:
        self._job = job
        self._telling = telling
        self._services = services

    @property
    def over(self) -> bool:
        return self._job.is_terminal

    async def begin(self, feed: Feed) -> AsyncGenerator[bytes]:
        self._job = follow(feed, self._job, self._services)
        if rendered := await self._telling.news(self._job):
            yield _status(rendered)

    async def tell(self, feed: Feed, *, timeout_s: float) -> AsyncGenerator[bytes]:
        for job in await feed.changes(timeout_s=min(timeout_s, self._telling.wait_s())):
            rendered = await self._telling.news(job)
            if rendered or job.is_terminal:  # over, also for a client that claims to have seen more
                self._job = job
            if rendered:
                yield _status(rendered)
        async for _, rendered in self._telling.moved():
            yield _status(rendered)


class OneUser:
    """Tells all jobs of a user; the event's id is the moment from which a later connection goes on."""

    over = False

    def __init__(self, jobs: AllJobs) -> None:
        self._jobs = jobs

    async def begin(self, feed: Feed) -> AsyncGenerator[bytes]:
        async for _, rendered in self._jobs.begin(feed):
            yield self._status(rendered)
        yield event(b"{}", name=b"ready", id_=self._jobs.cursor)

    async def tell(self, feed: Feed, *, timeout_s: float) -> AsyncGenerator[bytes]:
        for job in await feed.changes(timeout_s=min(timeout_s, self._jobs.wait_s())):
            if rendered := await self._jobs.news(job):
                yield self._status(rendered)
        async for _, rendered in self._jobs.moved():
            yield self._status(rendered)

    def _status(self, rendered: Rendered) -> bytes:
        return event(rendered.body, name=b"status", id_=self._jobs.cursor)


def _status(rendered: Rendered) -> bytes:
    return event(rendered.body, name=b"status", id_=str(rendered.version))
