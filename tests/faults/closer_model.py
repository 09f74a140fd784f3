"""What the closer machine expects beyond the model: keys, plans that change, progress, checkpoints, open attempts."""

from dataclasses import dataclass, field
from uuid import UUID

from haulier.limits import RoleLimits
from tests.faults.model import DAY_S, HOUR_S, TERMINAL, Member, Model, Record
from tests.faults.world import KEEP_S

FREE = RoleLimits(running=2, role_running=3)
PREMIUM = RoleLimits(running=3, role_running=4, weight=10, rate_per_minute=6)
PLANS = {
    "free": Member("free", FREE),
    "free, by the day": Member("free", RoleLimits(running=1, role_running=3, quota_per_day=3)),
    "premium": Member("premium", PREMIUM),
    "premium, smaller": Member("premium", RoleLimits(running=1, role_running=2, weight=10, quota_per_day=5)),
}


Wish = tuple[int, UUID | None]  # a file, and the job that is retried


@dataclass
class Key:
    """What a request's key stands for."""

    job_id: UUID
    wish: Wish
    until_s: float


def names_of(file_id: int, *, key: str | None, joins: bool, retry_of: UUID | None) -> list[str]:
    """The keys of a request, in the order of asking."""
    same = [f"request:{file_id}"] if retry_of is None else [f"retry:{retry_of}", f"request:{file_id}"]
    return same if key is None else [f"key:{key}", *same] if joins else [f"key:{key}"]


@dataclass
class Run:
    """What the latest attempt of a job has told."""

    percent: int = 0
    checkpoint: int | None = None


@dataclass
class CloserModel(Model):
    """Plans are those of each user's latest admitted request; a job takes room in the role its user had when handed."""

    plans: dict[str, Member] = field(default_factory=dict)
    role_caps: dict[str, int | None] = field(default_factory=dict)
    roles: dict[UUID, str] = field(default_factory=dict)
    keys: dict[tuple[str, str], Key] = field(default_factory=dict)
    minutes: dict[str, tuple[float, int]] = field(default_factory=dict)
    runs: dict[UUID, Run] = field(default_factory=dict)

    def held(self, *, user: str | None = None, role: str | None = None) -> int:
        return sum(
            job.handed_s is not None
            and (user is None or job.user == user)
            and (role is None or self.roles[job.id] == role)
            for job in self.jobs.values()
        )

    def rate_limited(self, user: str, member: Member) -> bool:
        """Whether the minute is full; counts the request when it is not."""
        rate = member.limits.rate_per_minute
        if rate is None:
            return False
        since_s, used = self.minutes.get(user, (-60.0, 0))
        if self.now_s - since_s >= 60:
            since_s, used = self.now_s, 0
        if used >= rate:
            return True
        self.minutes[user] = since_s, used + 1
        return False

    def answer(self, user: str, names: list[str], wish: Wish) -> tuple[str, UUID | None]:
        """What a request gets because of earlier ones with these keys; `created` when nothing stands in its way."""
        asked = [name for name in names if not (name.startswith("request:") and wish[1])]
        answers = (self._answer(user, name, wish) for name in asked)
        outcome, job_id = next((each for each in answers if each[0] != "created"), ("created", None))
        own = self.keys.get((user, names[0]))
        if job_id and names[0].startswith("key:") and (own is None or own.until_s <= self.now_s):
            self.keys[user, names[0]] = Key(job_id, wish, self.now_s + DAY_S)
        return outcome, job_id

    def _answer(self, user: str, name: str, wish: Wish) -> tuple[str, UUID | None]:
        known = self.keys.get((user, name))
        if known is None:
            return "created", None
        is_explicit, over = name.startswith("key:"), known.until_s <= self.now_s
        is_same = known.wish == wish or not is_explicit
        if is_explicit and not over:
            return ("joined", known.job_id) if is_same else ("mismatch", None)
        return ("joined", known.job_id) if is_same and self.joinable(known) else ("created", None)

    def joinable(self, key: Key) -> bool:
        job = self.jobs[key.job_id]
        return job.status not in TERMINAL or (self.lives(job) and key.until_s > self.now_s)

    def lives(self, job: Record) -> bool:
        """Whether the job's artefact can be downloaded."""
        return job.status == "completed" and not job.expired and self.now_s - (job.ended_s or 0) < KEEP_S

    def quota_exceeded(self, user: str, member: Member) -> bool:
        quota = member.limits.quota_per_day
        return quota is not None and self.used.get((user, self.today), 0) >= quota

    def admitted(self, record: Record, member: Member, names: list[str], wish: Wish) -> None:
        """The request has become this job. One for a retry leaves its file's key with a living job."""
        user = record.user
        for name in names:
            known = self.keys.get((user, name))
            if name.startswith("request:") and known and self.joinable(known):
                continue
            ttl_s = DAY_S if name.startswith("key:") else HOUR_S
            self.keys[user, name] = Key(record.id, wish, self.now_s + ttl_s)
        if record.counted_on is not None:
            self.used[user, record.counted_on] = self.used.get((user, record.counted_on), 0) + 1
        self.plans[user], self.role_caps[member.role] = member, member.limits.role_running
        self.jobs[record.id], self.roles[record.id], self.runs[record.id] = record, member.role, Run()

    def has_room(self, user: str) -> bool:
        """Whether neither the user's cap nor their role's holds their next job back."""
        member = self.plans[user]
        running, role_running = member.limits.running, self.role_caps[member.role]
        return (running is None or self.held(user=user) < running) and (
            role_running is None or self.held(role=member.role) < role_running
        )

    def sweep(self) -> None:
        self.keys = {name: key for name, key in self.keys.items() if key.until_s >= self.now_s - DAY_S}

    def alive(self) -> set[tuple[UUID, int]]:
        """The attempts whose objects must stay."""
        return {
            (job.id, job.attempt)
            for job in self.jobs.values()
            if job.status == "processing" or (job.status == "completed" and not job.expired)
        }
