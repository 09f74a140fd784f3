"""All jobs of a user, as one connection tells them, and the moment from which a later connection goes on."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from haulier.api.live.telling import Telling
from haulier.api.rendering import Rendered
from haulier.api.services import Services
from haulier.errors import Unavailable
from haulier.job import Job
from haulier.live import Feed, changed_at

SNAPSHOT_JOBS = 500  # of each kind, alive and ended
MADE_AT_ONCE = 50  # in a turn of the event loop: a long list holds nobody else up
OVERLAP = timedelta(seconds=60)  # a job is dated when its transaction begins, and told when it is known

_CURSOR = re.compile(r"\d{1,14}")


def moment_of(cursor: str) -> datetime | None:
    """The moment that a cursor means; None for what is none."""
    return datetime.fromtimestamp(int(cursor) / 1000, UTC) if _CURSOR.fullmatch(cursor) else None


class AllJobs:
    """Tells each version once and never an older one, like `Telling`, and knows how far it has told.

    `since` is the moment that an earlier connection had come to: what ended after it is told first.
    """

    def __init__(self, user_id: str, services: Services, *, since: datetime | None) -> None:
        self._user_id = user_id
        self._services = services
        self._since = since
        self._told_until = since or datetime.fromtimestamp(0, UTC)
        self._telling = Telling(services, with_files=False)

    @property
    def cursor(self) -> str:
        """Where a later connection may go on: milliseconds since 1970, by the ledger's clock."""
        return str(int(self._told_until.timestamp() * 1000))

    async def begin(self, feed: Feed) -> AsyncGenerator[tuple[Job, Rendered]]:
        """Follow the user; what ended since, and what waits or runs. Raises Unavailable."""
        feed.follow_user(self._user_id)
        for job, rendered in await self._made(feed):
            self._have_told(job)
            yield job, rendered

    async def _made(self, feed: Feed) -> list[tuple[Job, Rendered]]:
        """The whole list before any of it is told: a slow reader keeps no seat."""
        made: list[tuple[Job, Rendered]] = []
        async with self._services.list_seats.of(self._user_id):
            # While it waited the process began to stop, or its reader has left: no list is no empty one.
            if feed.closed:
                raise Unavailable
            for number, job in enumerate(await self._listed(), 1):
                self._services.snapshots.remember(job)
                if rendered := await self._telling.news(job):
                    made.append((job, rendered))
                if number % MADE_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return made

    async def _listed(self) -> list[Job]:
        changes = self._services.ledger.changes
        now = await changes.moment()
        jobs: list[Job] = []
        if self._since is not None:
            since = min(self._since, now) - OVERLAP  # a cursor of the future would hide what ends until then
            jobs += await changes.ended_since(self._user_id, since=since, most=SNAPSHOT_JOBS)
        jobs += await changes.alive(self._user_id, most=SNAPSHOT_JOBS)
        self._told_until = now if self._since is None else min(self._since, now)
        return jobs

    async def news(self, job: Job) -> Rendered | None:
        """The status of `job` as it is to be told now; None when that is known."""
        rendered = await self._telling.news(job)
        if rendered is not None:
            self._have_told(job)
        return rendered

    def _have_told(self, job: Job) -> None:
        self._told_until = max(self._told_until, changed_at(job))

    def moved(self) -> AsyncIterator[tuple[Job, Rendered]]:
        """Queued jobs whose place is another one than was told."""
        return self._telling.moved()

    def wait_s(self) -> float:
        """Seconds until `moved` is worth another look."""
        return self._telling.wait_s()

    def forget(self, job_id: UUID) -> None:
        """Tell it again, whatever was told of it."""
        self._telling.forget(job_id)
