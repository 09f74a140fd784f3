"""Feeds: what one connection has not been told yet of the jobs that it follows.

A feed keeps the newest state of each job only. A reader that is slow or away for a moment misses intermediate progress,
never a job's latest state, and its memory is bounded by the jobs it follows.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from haulier.errors import TooManyStreams, Unavailable
from haulier.job import Job
from haulier.live.snapshots import Snapshots

Key = TypeVar("Key")

WOKEN_AT_ONCE = 50
UNSEEN_LIMIT = 10_000  # of one feed: beyond it the reader is too slow for the jobs of its user


def changed_at(job: Job) -> datetime:
    """When the job changed, or ended: one that is over changes once more when its file expires, which is no end."""
    return job.completed_at or job.updated_at


class Feed:
    """One reader's jobs. `closed`: nothing more will come, for the process stops, or the reader was ended.

    `overrun`: more changed than a feed may hold; whoever reads it has to begin anew.
    """

    __slots__ = ("_feeds", "_jobs", "_unseen", "_users", "_wake", "closed", "overrun")

    def __init__(self, feeds: "Feeds") -> None:
        self._feeds = feeds
        self._jobs: set[UUID] = set()
        self._users: set[str] = set()
        self._unseen: dict[UUID, Job] = {}
        self._wake = asyncio.Event()
        self.closed = False
        self.overrun = False

    def follow_job(self, job_id: UUID, /) -> None:
        """Hear of every change of the job; whether the reader may is for the caller to know."""
        self._jobs.add(job_id)
        self._feeds.by_job.setdefault(job_id, set()).add(self)

    def leave_job(self, job_id: UUID, /) -> None:
        self._jobs.discard(job_id)
        _discard(self._feeds.by_job, job_id, self)

    def follow_user(self, user_id: str, /) -> None:
        """Hear of every change of all jobs of the user, of new ones as well."""
        self._users.add(user_id)
        self._feeds.by_user.setdefault(user_id, set()).add(self)

    def leave_user(self, user_id: str, /) -> None:
        self._users.discard(user_id)
        _discard(self._feeds.by_user, user_id, self)

    async def changes(self, *, timeout_s: float) -> list[Job]:
        """The jobs that changed since the last call, each in its newest state, the one first that changed first; waits
        up to `timeout_s` for one.

        Empty when nothing changed in time, or as soon as the feed is closed.
        """
        if not self._unseen and not self.closed and timeout_s > 0:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.clear()
        unseen, self._unseen = self._unseen, {}
        return sorted(unseen.values(), key=changed_at)

    def put(self, job: Job, /) -> None:
        """Note a change; `wake` tells the reader."""
        known = self._unseen.get(job.id)
        if known is None and len(self._unseen) >= UNSEEN_LIMIT:
            self.overrun = True
        elif known is None or known.version <= job.version:
            self._unseen[job.id] = job

    def wake(self) -> None:
        """End a wait for changes: there are some, or its reader has something else to do."""
        self._wake.set()

    def close(self) -> None:
        """End it from outside: its reader wakes up and leaves."""
        self.closed = True
        self._wake.set()

    def leave_all(self) -> None:
        for job_id in tuple(self._jobs):
            self.leave_job(job_id)
        for user_id in tuple(self._users):
            self.leave_user(user_id)


class Feeds:
    """All feeds of the process. At most `most` of them, and `most_of_user` of one user (None: no limit)."""

    def __init__(self, snapshots: Snapshots, *, most: int, most_of_user: int) -> None:
        self.by_job: dict[UUID, set[Feed]] = {}
        self.by_user: dict[str, set[Feed]] = {}
        self._open: set[Feed] = set()
        self._of_user: Counter[str] = Counter()
        self._most = most
        self._most_of_user = most_of_user
        self._stopped = False
        self._sleeping: deque[Feed] = deque()
        self._waking = False
        snapshots.on_version(self._spread, wants_user=self.by_user.__contains__, wants_job=self.by_job.__contains__)

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def open(self, *, user_id: str, unlimited: bool = False) -> Generator[Feed]:
        """A feed for a connection of `user_id`, as long as the block.

        Raises TooManyStreams when the user has too many, Unavailable when the process has.
        """
        if self._stopped or len(self._open) >= self._most:
            raise Unavailable(retry_after_s=5)
        if not unlimited and self._of_user[user_id] >= self._most_of_user:
            raise TooManyStreams(limit=self._most_of_user)
        feed = Feed(self)
        self._open.add(feed)
        self._of_user[user_id] += 1
        try:
            yield feed
        finally:
            feed.leave_all()
            self._open.discard(feed)
            self._of_user[user_id] -= 1
            if not self._of_user[user_id]:
                del self._of_user[user_id]

    def stop(self) -> None:
        """Close all feeds and open no more: the process is asked to stop."""
        self._stopped = True
        for feed in self._open:
            feed.close()

    def _spread(self, job: Job) -> None:
        for feeds in (self.by_job.get(job.id, ()), self.by_user.get(job.user_id, ())):
            for feed in feeds:
                feed.put(job)
                self._sleeping.append(feed)
        self._wake_some()

    def _wake_some(self) -> None:
        """Wake readers, a few in each turn of the event loop: thousands at once would hold up everybody else."""
        for _ in range(min(WOKEN_AT_ONCE, len(self._sleeping))):
            self._sleeping.popleft().wake()
        if self._sleeping and not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self._wake_others)

    def _wake_others(self) -> None:
        self._waking = False
        self._wake_some()


def _discard(index: dict[Key, set[Feed]], key: Key, feed: Feed) -> None:
    feeds = index.get(key)
    if feeds is not None:
        feeds.discard(feed)
        if not feeds:
            del index[key]
