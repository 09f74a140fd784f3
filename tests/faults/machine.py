"""The state machine: everything that can happen to jobs, in any order, against the model."""

import sys
from itertools import pairwise
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from haulier.job import Attempt, Handed, Status, may_become
from tests.faults.model import TERMINAL, USERS, Model, Record
from tests.faults.world import World

ANY = st.integers(min_value=0, max_value=1_000)


class Machine(RuleBasedStateMachine):
    """`world` is set by the test."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.empty()
        self.model = Model()
        self.tickets: list[Handed] = []
        self.attempts: list[Attempt] = []

    def pick(self, things: list, n: int):
        return things[n % len(things)]

    def record(self, attempt: Attempt) -> Record:
        return self.model.jobs[attempt.job.id]

    # ---- clients

    @rule(user=st.sampled_from(sorted(USERS)), file_id=st.integers(70_000, 70_003), told=st.booleans())
    def submit(self, user: str, file_id: int, told: bool) -> None:
        model, member = self.model, USERS[user]
        joined, quota = model.joined(user, file_id), member.limits.quota_per_day
        admission = self.world.submit(user, member.role, member.limits, file_id)
        if joined is not None:
            assert (admission.outcome, admission.job.id) == ("joined", joined.id)
            return
        if quota is not None and model.used.get((user, model.today), 0) >= quota:
            assert admission.outcome == "quota_exceeded"
            return
        assert admission.outcome == "created"
        job = admission.job
        if quota is not None:
            model.used[user, model.today] = model.used.get((user, model.today), 0) + 1
        if job.handed:
            assert not any(other.ready for other in model.jobs.values())
        record = Record(job.id, user, file_id, model.now_s, model.today if quota is not None else None)
        model.jobs[job.id] = record
        if job.handed:
            self._handed(Handed(job.id, job.handover), told=told)

    @precondition(lambda self: self.model.jobs)
    @rule(n=ANY, who=st.sampled_from(["owner", "stranger", "admin"]))
    def cancel(self, n: int, who: str) -> None:
        job = self.pick(list(self.model.jobs.values()), n)
        user = {"owner": job.user, "stranger": "mallory", "admin": None}[who]
        cancelled = self.world.cancel(job.id, user)
        assert (cancelled is not None) == (who != "stranger" and job.status not in TERMINAL)
        if cancelled is not None:
            if job.status == "queued" and job.counted_on is not None:
                self.model.used[job.user, job.counted_on] -= 1
            job.end("cancelled", self.model.now_s)

    # ---- the dispatcher

    @rule(told=st.booleans())
    def hand_over(self, told: bool) -> None:
        """`told` False: the process dies between the mark and the engine."""
        before = self.model.held()
        for job in self.model.jobs.values():
            if job.retry_s is not None and job.retry_s <= self.model.now_s:
                job.retry_s = None
        tickets = self.world.take()
        assert before + len(tickets) <= max(self.model.window, before)
        for ticket in tickets:
            assert self.model.jobs[ticket.job_id].ready
            self._handed(ticket, told=told)
        self._nobody_is_forgotten()
        waiting = [job for job in self.model.jobs.values() if job.ready and self._may_run(job)]
        assert not waiting or len(tickets) == 5 or self.model.held() >= self.model.window

    def _may_run(self, job: Record) -> bool:
        """Whether neither its user's cap nor its role's holds the job back."""
        limits, role = USERS[job.user].limits, USERS[job.user].role
        return (limits.running is None or self.model.held(user=job.user) < limits.running) and (
            limits.role_running is None or self.model.held(role=role) < limits.role_running
        )

    def _handed(self, ticket: Handed, *, told: bool) -> None:
        job = self.model.jobs[ticket.job_id]
        job.handover, job.handed_s = job.handover + 1, self.model.now_s
        assert job.handover == ticket.handover
        self.tickets.append(ticket)
        if told:
            self.world.tell_engine([ticket])
            self.model.entries.add(ticket)

    @rule()
    def reconcile(self) -> None:
        missing = self.model.missing()
        assert self.world.reconcile() == len(missing)
        for job in missing:
            job.wait(self.model.now_s)

    @rule()
    def end_lost(self) -> None:
        lost = self.model.lost()
        assert {job.id for job in self.world.end_lost()} == {job.id for job in lost}
        for job in lost:
            job.lost += 1
            if job.used < 3:
                job.wait(self.model.now_s)
            else:
                job.end("failed", self.model.now_s)

    @rule()
    def expire(self) -> None:
        expired = {job.id for job in self.world.expire()}
        for job in self.model.jobs.values():
            over = job.status == "completed" and not job.expired and self.model.now_s - job.ended_s > 3_600
            assert (job.id in expired) == over
            job.expired |= over

    # ---- workers, alive and undead

    @precondition(lambda self: self.tickets)
    @rule(n=ANY, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, n: int, worker: str) -> None:
        """Any ticket that was ever given out: an old copy of Redis may hold it."""
        ticket = self.pick(self.tickets, n)
        expected = self.model.may_claim(ticket, worker)
        attempt = self.world.claim(ticket, worker)
        assert (attempt is not None) == expected
        if attempt is None:
            return
        self.model.claimed(ticket, worker)
        assert attempt.number == self.record(attempt).attempt
        self.attempts.append(attempt)

    @precondition(lambda self: self.attempts)
    @rule(n=ANY, percent=st.integers(0, 99))
    def beat(self, n: int, percent: int) -> None:
        attempt = self.pick(self.attempts, n)
        owned = self.record(attempt).owns(attempt)
        assert self.world.beat(attempt, percent) == owned
        assert self.world.save(attempt) == owned
        if owned:
            self.record(attempt).lease_s = self.model.now_s + 15

    @precondition(lambda self: self.attempts)
    @rule(n=ANY)
    def complete(self, n: int) -> None:
        attempt = self.pick(self.attempts, n)
        job, owned = self.record(attempt), self.record(attempt).owns(attempt)
        assert (self.world.complete(attempt) is not None) == owned
        if owned:
            job.published = attempt.number
            job.end("completed", self.model.now_s)
            self._left(attempt)

    @precondition(lambda self: self.attempts)
    @rule(n=ANY, how=st.sampled_from(["fail", "retry", "hand_back"]), wait_s=st.sampled_from([0.0, 5.0, 300.0]))
    def give_up(self, n: int, how: str, wait_s: float) -> None:
        attempt = self.pick(self.attempts, n)
        job, owned = self.record(attempt), self.record(attempt).owns(attempt)
        calls = {
            "fail": lambda: self.world.fail(attempt),
            "retry": lambda: self.world.retry(attempt, wait_s),
            "hand_back": lambda: self.world.hand_back(attempt),
        }
        assert (calls[how]() is not None) == owned
        if not owned:
            return
        if how == "fail":
            job.end("failed", self.model.now_s)
        elif how == "retry":
            job.wait(self.model.now_s + wait_s)
        else:
            job.used -= 1
            job.wait(self.model.now_s)
        self._left(attempt)

    def _left(self, attempt: Attempt) -> None:
        """The worker's entry in the engine is dealt with."""
        ticket = Handed(attempt.job.id, attempt.job.handover)
        self.world.drop_entry(ticket)
        self.model.entries.discard(ticket)

    # ---- the world

    @rule(seconds=st.sampled_from([1.0, 3.0, 10.0, 20.0, 400.0, 4_000.0, 50_000.0]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        self.model.now_s += seconds

    @rule(slots=st.integers(0, 6))
    def announce(self, slots: int) -> None:
        self.world.announce(slots)
        self.model.slots, self.model.seen_s = slots, self.model.now_s

    @rule()
    def flush(self) -> None:
        self.world.flush()
        self.model.entries.clear()

    # ---- what must always be true

    @invariant()
    def ledger_and_model_agree(self) -> None:
        rows = {row["id"]: row for row in self.world.rows("select * from jobs")}
        assert rows.keys() == self.model.jobs.keys()
        for job_id, job in self.model.jobs.items():
            row = rows[job_id]
            assert row["status"] == job.status, job
            assert (row["attempt"], row["attempts_used"], row["lost"]) == (job.attempt, job.used, job.lost)
            assert row["attempts_used"] <= row["max_attempts"]
            assert (row["handover"], row["handed_at"] is not None) == (job.handover, job.handed_s is not None)
            assert (row["retry_at"] is not None) == (job.retry_s is not None)
            assert row["artefact_expired"] == job.expired
            published = f"artifacts/{job_id}/{job.published}/file" if job.published else None
            assert row["artefact_key"] == published

    @invariant()
    def caps_hold(self) -> None:
        for user, member in USERS.items():
            assert member.limits.running is None or self.model.held(user=user) <= member.limits.running
        assert self.model.held(role="free") <= 3

    @invariant()
    def nobody_in_line_is_hidden(self) -> None:
        """A user's place is never behind their first ready job: the dispatcher would pass them over."""
        hidden = self.world.rows(
            "select user_id from users where exists (select from jobs where jobs.user_id = users.user_id"
            " and status = 'queued' and handed_at is null and retry_at is null"
            " and (head_tag is null or jobs.fair_tag < head_tag))"
        )
        assert hidden == []

    @invariant()
    def quota_is_what_was_used(self) -> None:
        for row in self.world.rows("select user_id, used, starts_at from usage where period = 'day'"):
            day = int(row["starts_at"].timestamp() // 86_400) - 20_780  # 2026-11-23
            assert row["used"] == self.model.used.get((row["user_id"], day), 0)

    def _nobody_is_forgotten(self) -> None:
        stale = self.world.rows(
            "select user_id from users where head_tag is null and exists (select from jobs"
            " where jobs.user_id = users.user_id and status = 'queued' and handed_at is null and retry_at is null)"
        )
        assert stale == []

    def teardown(self) -> None:
        """From wherever we are, everything comes to an end; and the events tell one story."""
        if sys.exc_info()[1] is not None:
            return  # a step has failed, and says more than what follows from it
        for round_ in range(40):
            if all(job.status in TERMINAL for job in self.model.jobs.values()):
                break
            self.advance(400.0)
            self.announce(6)
            self.end_lost()
            self.reconcile()
            self.hand_over(told=True)
            for n in range(len(self.tickets)):
                self.claim(n, worker=f"rescuer {round_} {n}")
            for n in range(len(self.attempts)):
                self.complete(n)
        self.ledger_and_model_agree()
        assert all(job.status in TERMINAL for job in self.model.jobs.values()), self.model
        self._events_tell_one_story()

    def _events_tell_one_story(self) -> None:
        stories: dict[object, list] = {}
        for row in self.world.rows("select * from job_events order by job_id, id"):
            stories.setdefault(row["job_id"], []).append(row)
        assert stories.keys() == self.model.jobs.keys()
        for events in stories.values():
            versions = [event["version"] for event in events]
            assert versions == sorted(set(versions))
            changes = [event for event in events if event["reason"] != "expired"]
            assert [event["status"] in TERMINAL for event in changes] == [False] * (len(changes) - 1) + [True]
            assert [event["attempt"] for event in events] == sorted(event["attempt"] for event in events)
            for before, after in pairwise(changes):
                assert may_become(Status(before["status"]), Status(after["status"]))
