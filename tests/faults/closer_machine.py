"""The state machine, looking closer: keys and retries of requests, users who change plans, hand-overs through the
dispatcher's own function, and every column that a worker writes."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from haulier.dispatch.handover import hand_over
from haulier.failpoints import Point, acting
from haulier.job import Attempt, Handed, Request
from haulier.ledger import Admission
from tests.builders import submission
from tests.faults.closer_model import PLANS, CloserModel, Member, names_of
from tests.faults.machine import ANY, Machine
from tests.faults.model import Record
from tests.faults.world import KEEP_S, World

USERS = ("anna", "ben", "paula")
ROWS = """
select jobs.*, extract(epoch from lease_until - '2026-11-23T10:00:00Z') as lease_s,
    extract(epoch from retry_at - '2026-11-23T10:00:00Z') as retry_s,
    array(select outcome from attempts where job_id = jobs.id order by number) as outcomes,
    array(select number from attempts where job_id = jobs.id order by number) as numbers
from jobs
"""


class Killed(BaseException):
    """The process died here."""


class CloserWorld(World):
    """More of the house's own calls."""

    def ask(
        self, user: str, member: Member, file_id: int, key: str | None, retry_of: UUID | None, *, joins: bool
    ) -> Admission:
        request = submission(
            user_id=user,
            role=member.role,
            limits=member.limits,
            request=Request(file_id=file_id),
            key=key,
            joins=joins,
            retry_of=retry_of,
            keep_for=timedelta(seconds=KEEP_S),
        )
        return self.run(self.ledger.submissions.submit(request))

    def dispatch(self, *, told: bool) -> None:
        """One hand-over of the dispatcher; `told` False: it is killed before the engine hears of it."""

        async def die(point: Point) -> None:
            if point is Point.MARKED:
                raise Killed

        with ExitStack() as stack:
            if not told:
                stack.enter_context(acting(die))
            stack.enter_context(suppress(Killed))
            self.run(hand_over(self.ledger.backlog, self.engine))

    def claimed(self, ticket: Handed, worker: str) -> int | None:
        attempt = self.run(self.ledger.attempts.claimed(ticket, worker=worker))
        return attempt and attempt.number

    def next_due(self) -> float | None:
        return self.run(self.ledger.backlog.seconds_to_next_due())

    def sweep(self) -> None:
        self.run(self.ledger.retention.sweep())

    def alive(self) -> set[tuple[UUID, int]]:
        """The (job, attempt) pairs whose objects are in use."""
        attempts = self.rows("select job_id, number from attempts")
        owners = {f"artifacts/{row['job_id']}/{row['number']}/file": tuple(row) for row in attempts}
        return {owners[key] for key in self.run(self.ledger.retention.keys_in_use(owners))}


class CloserMachine(Machine):
    """`world` is set by the test."""

    world: ClassVar[CloserWorld]
    model: CloserModel

    @classmethod
    def look(cls, world: CloserWorld, profile: settings) -> None:
        """Run histories in this world; raises what the first bad one broke."""
        cls.world = world
        run_state_machine_as_test(cls, settings=profile)

    @classmethod
    def play(cls, world: CloserWorld, history: list[Callable[["CloserMachine"], None]]) -> None:
        """Run this history, to its end."""
        cls.world = world
        machine = cls()
        for step in history:
            step(machine)
            machine.ledger_and_model_agree()
            machine.nobody_in_line_is_hidden()
            machine.what_workers_wrote_is_there()
        machine.teardown()

    def __init__(self) -> None:
        super().__init__()
        self.model = CloserModel()
        self.versions: dict[UUID, tuple[int, object]] = {}

    @initialize(slots=st.sampled_from([0, 2, 6, 6]))
    def begin(self, slots: int) -> None:
        """Mostly with a fleet: without one nothing is handed over."""
        self.announce(slots)

    # ---- clients

    @rule(
        user=st.sampled_from(USERS),
        plan=st.sampled_from(sorted(PLANS)),
        file_id=st.integers(70_000, 70_003),
        key=st.sampled_from([None, None, "k1", "k2"]),
        joins=st.booleans(),
        told=st.booleans(),
    )
    def submit(self, user: str, plan: str, file_id: int, key: str | None, joins: bool, told: bool) -> None:
        self._ask(user, PLANS[plan], file_id, key=key, joins=joins, retry_of=None, told=told)

    @precondition(lambda self: any(job.status in ("failed", "cancelled") for job in self.model.jobs.values()))
    @rule(
        n=ANY,
        plan=st.sampled_from(sorted(PLANS)),
        key=st.sampled_from([None, "k1"]),
        joins=st.booleans(),
        told=st.booleans(),
    )
    def submit_again(self, n: int, plan: str, key: str | None, joins: bool, told: bool) -> None:
        over = self.pick([job for job in self.model.jobs.values() if job.status in ("failed", "cancelled")], n)
        self._ask(over.user, PLANS[plan], over.file_id, key=key, joins=joins, retry_of=over.id, told=told)

    def _ask(
        self,
        user: str,
        member: Member,
        file_id: int,
        *,
        key: str | None,
        joins: bool,
        retry_of: UUID | None,
        told: bool,
    ) -> None:
        model, names = self.model, names_of(file_id, key=key, joins=joins, retry_of=retry_of)
        if model.rate_limited(user, member):
            expected, joined = "rate_limited", None
        else:
            expected, joined = model.answer(user, names, (file_id, retry_of))
            if expected == "created" and model.quota_exceeded(user, member):
                expected = "quota_exceeded"
        nobody_waits = not any(job.ready for job in model.jobs.values())
        admission = self.world.ask(user, member, file_id, key, retry_of, joins=joins)
        assert (admission.outcome, expected != "joined" or admission.job.id == joined) == (expected, True)
        if expected != "created":
            return
        job = admission.job
        assert (job.user_id, job.request.file_id, job.retry_of) == (user, file_id, retry_of)
        counted_on = model.today if member.limits.quota_per_day is not None else None
        model.admitted(Record(job.id, user, file_id, model.now_s, counted_on), member, names, (file_id, retry_of))
        assert job.handed == (nobody_waits and model.held() < model.window and model.has_room(user))
        if job.handed:
            self._handed(Handed(job.id, job.handover), told=told)

    # ---- the dispatcher

    @rule(told=st.booleans())
    def hand_over(self, told: bool) -> None:
        model = self.model
        for job in model.jobs.values():
            if job.retry_s is not None and job.retry_s <= model.now_s:
                job.retry_s = None
        self.world.dispatch(told=told)
        rows = self.world.rows("select id, user_id, handover, handed_at, fair_tag from jobs where status = 'queued'")
        taken = [row for row in rows if row["handed_at"] is not None and model.jobs[row["id"]].handed_s is None]
        for row in taken:
            assert model.jobs[row["id"]].ready
            self._handed(Handed(row["id"], row["handover"]), told=told)
        assert not taken or model.held() <= model.window
        self._nobody_is_forgotten()
        waiting = [row for row in rows if model.jobs[row["id"]].ready]
        assert model.held() >= model.window or not any(model.has_room(row["user_id"]) for row in waiting)
        for row in waiting:
            others = [other for other in taken if other["user_id"] == row["user_id"]]
            assert all((other["fair_tag"], other["id"]) < (row["fair_tag"], row["id"]) for other in others)

    def _handed(self, ticket: Handed, *, told: bool) -> None:
        super()._handed(ticket, told=told)
        model, user = self.model, self.model.jobs[ticket.job_id].user
        member = model.plans[user]
        model.roles[ticket.job_id] = member.role
        assert model.held(user=user) <= member.limits.running
        assert model.held(role=member.role) <= model.role_caps[member.role]

    @rule()
    def look_and_sweep(self) -> None:
        self.world.sweep()
        self.model.sweep()
        assert self.world.alive() == self.model.alive()
        due_s = [job.retry_s - self.model.now_s for job in self.model.jobs.values() if job.retry_s is not None]
        assert self.world.next_due() == min(due_s, default=None)

    # ---- workers

    def pick(self, things: list, n: int):
        """Mostly what still counts: histories get deeper than among the undead alone."""
        live = [thing for thing in things if self._counts(thing)]
        return super().pick(live if live and n % 4 else things, n)

    def _counts(self, thing: object) -> bool:
        if isinstance(thing, Handed):
            return self.model.may_claim(thing, "nobody")
        return not isinstance(thing, Attempt) or self.record(thing).owns(thing)

    @precondition(lambda self: self.tickets)
    @rule(n=ANY, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, n: int, worker: str) -> None:
        known = len(self.attempts)
        super().claim(n, worker)
        for attempt in self.attempts[known:]:
            ticket, run = Handed(attempt.job.id, attempt.job.handover), self.model.runs[attempt.job.id]
            assert attempt.checkpoint == (run.checkpoint and {"n": run.checkpoint})
            assert self.world.claimed(ticket, worker) == attempt.number
            assert self.world.claimed(ticket, f"not {worker}") is None
            run.percent = 0

    @precondition(lambda self: self.attempts)
    @rule(n=ANY, percent=st.integers(0, 99))
    def beat(self, n: int, percent: int) -> None:
        super().beat(n, percent)
        attempt = self.pick(self.attempts, n)
        if self.record(attempt).owns(attempt):
            run = self.model.runs[attempt.job.id]
            run.percent, run.checkpoint = percent, attempt.number

    @rule(n=ANY, worker=st.sampled_from(["w1", "w2"]), percent=st.integers(1, 99))
    def serve(self, n: int, worker: str, percent: int) -> None:
        """Hand over, claim and beat in one step, so that short histories get far."""
        self.hand_over(told=True)
        if any(self._counts(ticket) for ticket in self.tickets):
            self.claim(4 * n + 1, worker)
        if any(self._counts(attempt) for attempt in self.attempts):
            self.beat(4 * n + 1, percent)

    @rule(
        seconds=st.sampled_from([1.0, 3.0, 12.0, 14.0, 16.0, 20.0, 70.0, 400.0, 4_000.0, 90_000.0]), heard=st.booleans()
    )
    def advance(self, seconds: float, heard: bool = False) -> None:
        """`heard`: the fleet has gone on telling that it is there."""
        super().advance(seconds)
        if heard:
            self.announce(self.model.slots)

    # ---- what must always be true

    @invariant()
    def caps_hold(self) -> None:
        """Checked when a job is handed over: a plan may shrink under jobs that run already."""

    @invariant()
    def what_workers_wrote_is_there(self) -> None:
        for row in self.world.rows(ROWS):
            job, run = self.model.jobs[row["id"]], self.model.runs[row["id"]]
            seen = (row["lease_s"], row["retry_s"], row["role"], row["quota_day"] is not None)
            assert seen == (job.lease_s, job.retry_s, self.model.roles[job.id], job.counted_on is not None)
            if job.attempt:
                assert row["worker"] == job.worker
            if job.status in ("processing", "completed"):
                assert row["percent"] == (100 if job.status == "completed" else run.percent)
            checkpoint = run.checkpoint and f'{{"n": {run.checkpoint}}}'
            assert job.status == "completed" or row["checkpoint"] == checkpoint, (row["checkpoint"], checkpoint)
            self._attempts_are_numbered_and_closed(job, row)
            self._version_tells_of_changes(row)

    def _attempts_are_numbered_and_closed(self, job: Record, row) -> None:
        outcomes = row["outcomes"]
        assert row["numbers"] == list(range(1, job.attempt + 1))
        assert [outcome is None for outcome in outcomes] == [
            job.status == "processing" and number == job.attempt for number in row["numbers"]
        ]
        assert len(outcomes) - outcomes.count("handed_back") == job.used
        assert outcomes.count("lost") == job.lost
        assert ("completed" in outcomes) == (job.status == "completed")

    def _version_tells_of_changes(self, row) -> None:
        """A reader who knows the version knows what the job shows."""
        shown = (row["status"], row["attempt"], row["percent"], row["retry_at"], row["artefact_expired"])
        version, before = self.versions.get(row["id"], (0, None))
        assert row["version"] > version or (row["version"], shown) == (version, before)
        self.versions[row["id"]] = row["version"], shown
