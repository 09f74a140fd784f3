"""What must be true of the ledger after any sequence of steps: the rules again, in the plainest Python."""

from dataclasses import dataclass, field
from uuid import UUID

from haulier.job import Attempt, Handed
from haulier.limits import RoleLimits
from tests.faults.world import KEEP_S, LEASE_S

TERMINAL = ("completed", "failed", "cancelled")
UNCLAIMED_S = 2
FLEET_S = 30
HOUR_S, DAY_S = 3_600, 86_400
TEN_O_CLOCK_S = 10 * HOUR_S


@dataclass
class Member:
    """A user, with limits that never change."""

    role: str
    limits: RoleLimits


USERS = {
    "anna": Member("free", RoleLimits(running=2, role_running=3, weight=1)),
    "ben": Member("free", RoleLimits(running=1, role_running=3, weight=1, quota_per_day=3)),
    "paula": Member("premium", RoleLimits(running=3, weight=10)),
    "root": Member("admin", RoleLimits(weight=10)),
}


@dataclass
class Record:
    """One job as it must be. Times are seconds on the fake clock."""

    id: UUID
    user: str
    file_id: int
    created_s: float
    counted_on: int | None
    handover: int = 0
    handed_s: float | None = None
    status: str = "queued"
    attempt: int = 0
    used: int = 0
    lost: int = 0
    retry_s: float | None = None
    lease_s: float | None = None
    worker: str = ""
    ended_s: float | None = None
    published: int | None = None
    expired: bool = False

    @property
    def ready(self) -> bool:
        return self.status == "queued" and self.handed_s is None and self.retry_s is None

    @property
    def risky(self) -> bool:
        """Its next attempt is one that may not share a worker with another such."""
        return self.lost > 0 and (self.lost >= 2 or self.used + 1 >= 3)

    def owns(self, attempt: Attempt) -> bool:
        return self.status == "processing" and self.attempt == attempt.number

    def end(self, status: str, now_s: float) -> None:
        self.status, self.ended_s = status, now_s
        self.handed_s = self.retry_s = self.lease_s = None

    def wait(self, until_s: float) -> None:
        self.status, self.handed_s, self.lease_s, self.retry_s = "queued", None, None, until_s


@dataclass
class Model:
    """All jobs, the engine's entries, and the clock."""

    now_s: float = 0.0
    slots: int = 0
    seen_s: float = -1_000.0
    jobs: dict[UUID, Record] = field(default_factory=dict)
    entries: set[Handed] = field(default_factory=set)
    used: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def today(self) -> int:
        return int((TEN_O_CLOCK_S + self.now_s) // DAY_S)

    @property
    def window(self) -> int:
        if not self.slots or self.now_s - self.seen_s >= FLEET_S:
            return 0
        return self.slots + max(2, self.slots // 4)

    def held(self, *, user: str | None = None, role: str | None = None) -> int:
        """How many jobs the engine holds, of a user or a role."""
        return sum(
            job.handed_s is not None
            and (user is None or job.user == user)
            and (role is None or USERS[job.user].role == role)
            for job in self.jobs.values()
        )

    def joined(self, user: str, file_id: int) -> Record | None:
        """The job that another request for the file joins."""
        same = [job for job in self.jobs.values() if (job.user, job.file_id) == (user, file_id)]
        if not same:
            return None
        job = same[-1]
        fresh = self.now_s - job.created_s < HOUR_S
        lives = job.status == "completed" and not job.expired and self.now_s - (job.ended_s or 0) < KEEP_S
        return job if job.status not in TERMINAL or (lives and fresh) else None

    def may_claim(self, ticket: Handed, worker: str) -> bool:
        job = self.jobs[ticket.job_id]
        if job.status != "queued" or job.handover != ticket.handover or job.handed_s is None:
            return False
        beside = (other for other in self.jobs.values() if other.status == "processing" and other.worker == worker)
        return not (job.risky and any(other.lost > 0 and (other.lost >= 2 or other.used >= 3) for other in beside))

    def claimed(self, ticket: Handed, worker: str) -> None:
        job = self.jobs[ticket.job_id]
        job.status, job.worker, job.retry_s = "processing", worker, None
        job.attempt, job.used = job.attempt + 1, job.used + 1
        job.lease_s = self.now_s + LEASE_S

    def missing(self) -> list[Record]:
        """What reconciling takes back: handed over for a while, unclaimed, and not in the engine."""
        return [
            job
            for job in self.jobs.values()
            if job.status == "queued"
            and job.handed_s is not None
            and self.now_s - job.handed_s > UNCLAIMED_S
            and Handed(job.id, job.handover) not in self.entries
        ]

    def lost(self) -> list[Record]:
        """Whose leases have run out."""
        return [job for job in self.jobs.values() if job.lease_s is not None and job.lease_s < self.now_s]
