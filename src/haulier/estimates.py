"""How long a job will wait and take, from how long jobs like it took. Pure; says None as long as nothing is known."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from haulier.job import Job, Status, WaitingFor

MIN_SAMPLES = 3  # fewer finished jobs of a size are not history but chance: fall back to all sizes


class Spread(msgspec.Struct, frozen=True):
    """Seconds from claim to end of jobs of one kind: quartiles over `samples` attempts."""

    median_s: float
    low_s: float
    high_s: float
    samples: int


class History(msgspec.Struct, frozen=True):
    """Measured spreads by (preparer, size class), None for all sizes. `slots`: the fleet's, None: unknown."""

    spreads: Mapping[tuple[str, int | None], Spread] = {}
    slots: int | None = None

    def spread(self, preparer: str, *, size_bytes: int | None = None) -> Spread | None:
        """The spread of jobs of this size, of all sizes when too few had it, or None without any history."""
        if size_bytes is not None:
            sized = self.spreads.get((preparer, size_class(size_bytes)))
            if sized is not None and sized.samples >= MIN_SAMPLES:
                return sized
        return self.spreads.get((preparer, None))


class Depth(msgspec.Struct, frozen=True):
    """The shape of a backlog: at each of the ascending fair `tags`, how many jobs stand before it."""

    tags: tuple[float, ...] = ()
    before: tuple[int, ...] = ()

    def ahead_of(self, tag: float) -> int:
        """About how many jobs have a smaller tag; 0 for an empty shape."""
        return self.before[max(bisect_left(self.tags, tag) - 1, 0)] if self.tags else 0


def waiting_for(job: Job, *, at_cap: bool, manned: bool, now: datetime) -> WaitingFor | None:
    """What keeps a queued job from starting; None for any other. `manned`: workers are alive and can be reached."""
    if job.status is not Status.QUEUED:
        return None
    if job.retry_at is not None and job.retry_at > now:
        return "retry_time"
    if not manned:
        return "dependency"
    return "running_cap" if at_cap and not job.handed else "slots"


def size_class(size_bytes: int) -> int:
    """Decimal order of magnitude: 0 below 10 bytes, 6 for 1 to 10 MB; the query `durations` counts alike."""
    return len(str(max(size_bytes, 1))) - 1


def history(spreads: Iterable[tuple[str, int | None, Spread]], *, slots: int) -> History:
    """Arrange measured spreads for look-up."""
    return History({(preparer, size): spread for preparer, size, spread in spreads}, slots)


def completion(job: Job, *, known: History, position: int | None, now: datetime) -> datetime | None:
    """When the job will probably be ready; None when the past says nothing, or the job is over.

    Queued: full rounds of the fleet ahead of it, then its own time. Processing: from its own rate once a tenth is done,
    from the past before that; a job past its usual time is expected at any moment.
    """
    spread = known.spread(job.preparer, size_bytes=job.progress.total)
    if job.status is Status.QUEUED:
        if spread is None or position is None or not known.slots:
            return None
        rounds_ahead = (position - 1) // known.slots
        start = max(now, job.retry_at or now)
        return start + timedelta(seconds=spread.median_s * (rounds_ahead + 1))
    if job.status is Status.PROCESSING and job.started_at is not None:
        elapsed_s = (now - job.started_at).total_seconds()
        if job.progress.percent >= 10 and job.attempt == 1:
            return now + timedelta(seconds=elapsed_s * (100 - job.progress.percent) / job.progress.percent)
        if spread is not None:
            return now + timedelta(seconds=max(spread.median_s - elapsed_s, 0))
    return None
