"""Snapshots: a job's current state for many readers, at the price of few ledger reads.

A snapshot follows announcements; what somebody asks for is compared with the ledger every second or two, all of it in
one look (live/repair.py), so a lost announcement is repaired by itself and an unchanged job costs its readers nothing.
Versions only grow: what a reader sees never goes back. With the ledger away, the last known state answers.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from haulier.clock import Clock
from haulier.errors import LedgerUnavailable
from haulier.job import Job
from haulier.ledger import Ledger
from haulier.live.announcements import Announcements
from haulier.silence import answered_within

FRESH_S = 4.0  # how long a snapshot answers without being compared; the repair looks more often
FRESH_WITHOUT_ANNOUNCEMENTS_S = 0.25
FRESH_WHEN_OVER_S = 60.0  # terminal states never change; only an early expiry could
INTEREST_S = 35.0  # how long after the last question a job is still compared: longer than pollers are told to pause
KEPT_ANSWER_S = 0.3
LIMIT = 20_000
PASSED_OVER = 8  # at most, of jobs that are followed, to find one that may be forgotten


@dataclass(slots=True)
class _Entry:
    job: Job
    seen_at: float
    asked_at: float = float("-inf")


def _nobody(_: object) -> bool:
    return False


def _anything(_: object) -> bool:
    return True


class Snapshots:
    """The jobs that readers of this process ask for."""

    def __init__(self, ledger: Ledger, announcements: Announcements, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._entries: OrderedDict[UUID, _Entry] = OrderedDict()
        self._reads: dict[UUID, asyncio.Task[Job | None]] = {}
        self._waiters: dict[UUID, set[asyncio.Event]] = {}
        self._listener: Callable[[Job], object] = _nobody
        self._wants_user: Callable[[str], bool] = _nobody
        self._wants_job: Callable[[UUID], bool] = _nobody
        self.announcements = announcements
        announcements.on_change(self._follow, wanted=self._is_wanted)

    def on_version(
        self,
        listener: Callable[[Job], None],
        *,
        wants_user: Callable[[str], bool],
        wants_job: Callable[[UUID], bool],
    ) -> None:
        """Call `listener` with each new version that becomes known here: of jobs that somebody asked for, of those that
        it wants, and of all jobs of users that it wants. There is one listener: who comes later takes its place."""
        self._listener = listener
        self._wants_user = wants_user
        self._wants_job = wants_job

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        """Reads of the ledger that nobody waits for any more end with the block."""
        try:
            yield
        finally:
            reads = tuple(self._reads.values())
            for each in reads:
                each.cancel()
            await asyncio.gather(*reads, return_exceptions=True)

    def fresh(self, job_id: UUID) -> Job | None:
        """The snapshot if it is fresh enough to answer without I/O."""
        entry = self._entries.get(job_id)
        if entry is None:
            return None
        now = entry.asked_at = self._clock.monotonic()
        return entry.job if now - entry.seen_at < self._fresh_s(entry.job) else None

    async def get(self, job_id: UUID) -> Job | None:
        """The job's current state; None when there is no such job.

        Raises LedgerUnavailable when the ledger does not answer and no snapshot of the job was ever announced.
        """
        return await self.at_least(job_id, version=0)

    async def at_least(self, job_id: UUID, *, version: int, serves: Callable[[Job], bool] = _anything) -> Job | None:
        """The job, not older than `version`, which a client has seen from another process; None when there is none.

        What is known here answers only if it `serves`: else the ledger does, as about a job that is not known. Older
        only if the ledger has nothing newer. Raises LedgerUnavailable, also when nothing known will do.
        """

        def will_do(known: Job) -> bool:
            return known.version >= version and serves(known)

        job = self.fresh(job_id)
        if job is not None and will_do(job):
            return job
        try:
            job = await self._read_once(job_id)
        except LedgerUnavailable:
            job = await self._last_known(job_id)
            if job is None or not will_do(job):
                raise
            return job
        if job is not None and job.version < version:
            job = await self.newest(job_id)  # that read may have begun before there was `version`
        return job

    async def newest(self, job_id: UUID) -> Job | None:
        """The job as the ledger has it now, for who is about to act on it; later readers see nothing older.

        Raises LedgerUnavailable.
        """
        job = await self._ledger.jobs.get(job_id)
        if job is not None:
            self.remember(job)
        return job

    async def wait(self, job_id: UUID, *, version: int, timeout_s: float) -> Job | None:
        """The job as soon as its version is not `version`, or as it is after `timeout_s` seconds."""
        end = self._clock.monotonic() + timeout_s
        changed = asyncio.Event()
        waiters = self._waiters.setdefault(job_id, set())
        waiters.add(changed)
        try:
            while True:
                changed.clear()
                job = await self.get(job_id)
                left_s = end - self._clock.monotonic()
                if job is None or job.version != version or job.is_terminal or left_s <= 0:
                    return job
                try:
                    await asyncio.wait_for(changed.wait(), min(left_s, FRESH_S))
                except TimeoutError:
                    continue
        finally:
            waiters.discard(changed)
            if not waiters:
                self._waiters.pop(job_id, None)

    def announce(self, job: Job) -> None:
        """This process has just committed a new version: remember it and tell the others."""
        self.remember(job)
        self.announcements.changed(job)

    def remember(self, job: Job) -> None:
        """Keep a state that was just read from or committed to the ledger."""
        entry = self._entries.get(job.id)
        if entry is not None and entry.job.version > job.version:
            return
        if entry is None:
            self._make_room()
        asked_at = float("-inf") if entry is None else entry.asked_at
        self._entries[job.id] = _Entry(job, self._clock.monotonic(), asked_at)
        self._entries.move_to_end(job.id)
        if entry is None or entry.job.version != job.version:
            for changed in self._waiters.get(job.id, ()):
                changed.set()
            self._listener(job)

    def _make_room(self) -> None:
        """Forget the oldest for another one, but none that somebody follows or waits for: those have bounds of their
        own, and of what is forgotten no announcement is heard."""
        for _ in range(PASSED_OVER):
            if len(self._entries) < LIMIT:
                return
            job_id, entry = self._entries.popitem(last=False)
            if job_id in self._waiters or self._wants_job(job_id):
                self._entries[job_id] = entry

    # ---- for the repair

    def behind(self, versions: Mapping[UUID, int]) -> dict[UUID, int]:
        """Those of the jobs that are known here in an older version or not at all, with the version known (0: none)."""
        known = {id_: entry.job.version if (entry := self._entries.get(id_)) else 0 for id_ in versions}
        return {id_: version for id_, version in known.items() if version < versions[id_]}

    def asked_for(self, followed: Collection[UUID]) -> dict[UUID, int]:
        """The jobs that are not over and somebody reads, with the versions known here: those that were asked for
        lately, those that are waited for, and the `followed` ones (0: not known at all)."""
        since = self._clock.monotonic() - INTEREST_S
        asked = [id_ for id_, entry in self._entries.items() if entry.asked_at > since]
        wanted = {id_: self._entries.get(id_) for id_ in (*asked, *self._waiters, *followed)}
        return {
            id_: entry.job.version if entry else 0
            for id_, entry in wanted.items()
            if entry is None or not entry.job.is_terminal
        }

    def confirm(self, job_ids: Collection[UUID], *, at: float) -> None:
        """These were as they are here when the ledger was asked at `at` (monotonic seconds)."""
        for job_id in job_ids:
            entry = self._entries.get(job_id)
            if entry is not None:
                entry.seen_at = max(entry.seen_at, at)

    # ---- announcements

    def _is_wanted(self, job_id: UUID, user_id: str) -> bool:
        return job_id in self._entries or self._wants_job(job_id) or self._wants_user(user_id)

    def _follow(self, job: Job) -> None:
        entry = self._entries.get(job.id)
        if entry is None or entry.job.version < job.version:
            self.remember(job)

    def _fresh_s(self, job: Job) -> float:
        if job.is_terminal:
            return FRESH_WHEN_OVER_S
        return FRESH_S if self.announcements.listening else FRESH_WITHOUT_ANNOUNCEMENTS_S

    # ---- reading

    async def _read_once(self, job_id: UUID) -> Job | None:
        """One ledger read at a time for a job, however many readers want it."""
        reading = self._reads.get(job_id)
        if reading is None:
            reading = asyncio.create_task(self._read(job_id))
            self._reads[job_id] = reading
            reading.add_done_callback(lambda done: self._read_ended(job_id, done))
        return await asyncio.shield(reading)

    def _read_ended(self, job_id: UUID, reading: "asyncio.Task[Job | None]") -> None:
        del self._reads[job_id]
        if not reading.cancelled():
            reading.exception()  # every reader may have left; nobody else looks at it then

    async def _read(self, job_id: UUID) -> Job | None:
        return self._noted(await self._ledger.jobs.get(job_id))

    async def _last_known(self, job_id: UUID) -> Job | None:
        """What was announced last, or is known here. It counts as fresh: not every reader has to wait anew."""
        entry = self._entries.get(job_id)
        return self._noted(await self._kept(job_id) or (entry and entry.job))

    def _noted(self, job: Job | None) -> Job | None:
        """`job`, or a newer state of it that is known here; somebody has asked for it."""
        if job is None:
            return None
        self.remember(job)
        entry = self._entries[job.id]
        entry.asked_at = self._clock.monotonic()
        return entry.job

    async def _kept(self, job_id: UUID) -> Job | None:
        """What was announced last, if Redis tells it soon: the ledger's silence has taken most of the reader's time."""
        try:
            async with answered_within(KEPT_ANSWER_S):
                return await self.announcements.kept(job_id)
        except TimeoutError:
            return None
