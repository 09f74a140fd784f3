"""Transitions against a real PostgreSQL: fencing, retries, hand-backs, lost leases, cancels."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from haulier.job import TERMINAL, TRANSITIONS, Failure, Handed, Progress, Request, Status
from haulier.ledger import Beat
from tests.builders import artefact, submission
from tests.integration.ledger_steps import LEASE, claimed, handed

FAILURE = Failure("source_unavailable", "The origin does not answer.")


@pytest.fixture
async def job(ledger):
    return (await ledger.submissions.submit(submission())).job


async def events(connection, job_id):
    rows = await connection.fetch("select status, reason from job_events where job_id = $1 order by version", job_id)
    return [tuple(row) for row in rows]


async def test_a_claim_starts_attempt_one(ledger, job):
    attempt = await claimed(ledger, job)
    assert (attempt.number, attempt.job.status, attempt.job.attempts_used) == (1, Status.PROCESSING, 1)
    assert attempt.job.version > job.version


async def test_a_job_is_claimed_once(ledger, job):
    ticket = await handed(ledger, job)
    claims = await asyncio.gather(*(ledger.attempts.claim(ticket, worker=f"w{n}", lease=LEASE) for n in range(8)))
    assert sum(claim is not None for claim in claims) == 1


async def test_an_old_hand_over_claims_nothing(ledger, job):
    ticket = await handed(ledger, job)
    await ledger.backlog.take_back([ticket])
    again = await handed(ledger, job)
    assert again.handover == ticket.handover + 1
    assert await ledger.attempts.claim(ticket, worker="w", lease=LEASE) is None
    assert await ledger.attempts.claim(again, worker="w", lease=LEASE) is not None


async def test_a_beat_writes_progress_and_answers_what_is_still_owned(ledger, job):
    attempt = await claimed(ledger, job)
    owned = await ledger.attempts.beat([Beat(attempt, Progress("archiving", 5, 10, 50))], lease=LEASE)
    assert owned[job.id].progress == Progress("archiving", 5, 10, 50)


async def test_a_beat_without_news_leaves_the_version_alone(ledger, job):
    attempt = await claimed(ledger, job)
    owned = await ledger.attempts.beat([Beat(attempt, Progress())], lease=LEASE)
    assert owned[job.id].version == attempt.job.version


async def test_completion_publishes_the_artefact(ledger, job):
    done = await ledger.attempts.complete(await claimed(ledger, job), artefact(size=7))
    assert (done.status, done.artefact.size, done.progress.percent) == (Status.COMPLETED, 7, 100)


async def test_a_transient_error_queues_the_job_again_with_a_time(ledger, job):
    again = await ledger.attempts.retry(await claimed(ledger, job), FAILURE, wait=timedelta(seconds=5))
    assert (again.status, again.error, again.attempts_used) == (Status.QUEUED, None, 1)
    assert again.retry_at - again.updated_at == timedelta(seconds=5)


async def test_a_job_that_backs_off_is_not_handed_over_before_its_time(ledger, job, at):
    await ledger.attempts.retry(await claimed(ledger, job), FAILURE, wait=timedelta(seconds=5))
    assert await ledger.backlog.take(most=10) == []
    assert 0 < await ledger.backlog.seconds_to_next_due() <= 5
    await at(seconds=6)
    await ledger.workers.announce("w", slots=1)
    assert [ticket.job_id for ticket in await ledger.backlog.take(most=10)] == [job.id]


async def test_a_hand_back_returns_the_attempt_but_never_its_number(ledger, job):
    back = await ledger.attempts.hand_back(await claimed(ledger, job))
    assert (back.status, back.attempts_used, back.attempt) == (Status.QUEUED, 0, 1)
    assert (await claimed(ledger, job)).number == 2


async def test_a_lost_lease_queues_the_job_again(ledger, job, at):
    await claimed(ledger, job)
    await at(seconds=16)
    (lost,) = await ledger.attempts.end_lost()
    assert (lost.id, lost.status) == (job.id, Status.QUEUED)


async def test_a_beat_keeps_the_lease(ledger, job, at):
    attempt = await claimed(ledger, job)
    await at(seconds=10)
    await ledger.attempts.beat([Beat(attempt, Progress())], lease=LEASE)
    await at(seconds=20)
    assert await ledger.attempts.end_lost() == []


async def test_the_last_lost_attempt_fails_the_job_as_worker_lost(ledger, at):
    job = (await ledger.submissions.submit(submission(max_attempts=1))).job
    await claimed(ledger, job)
    await at(seconds=16)
    (lost,) = await ledger.attempts.end_lost()
    assert (lost.status, lost.error.code) == (Status.FAILED, "worker_lost")


@pytest.mark.parametrize("write", ["beat", "complete", "fail", "retry", "hand_back", "checkpoint"])
async def test_a_zombie_writes_nothing(ledger, job, at, write):
    zombie = await claimed(ledger, job)
    await at(seconds=16)
    await ledger.attempts.end_lost()
    successor = await claimed(ledger, job, worker="w2")
    refused = {
        "beat": lambda: ledger.attempts.beat([Beat(zombie, Progress("late", 1, 1, 99))], lease=LEASE),
        "complete": lambda: ledger.attempts.complete(zombie, artefact()),
        "fail": lambda: ledger.attempts.fail(zombie, FAILURE),
        "retry": lambda: ledger.attempts.retry(zombie, FAILURE, wait=LEASE),
        "hand_back": lambda: ledger.attempts.hand_back(zombie),
        "checkpoint": lambda: ledger.attempts.save_checkpoint(zombie, {"part": 1}),
    }[write]
    assert not await refused()
    assert await ledger.jobs.get(job.id) == successor.job


async def test_a_cancelled_job_refuses_a_late_completion(ledger, job):
    attempt = await claimed(ledger, job)
    cancelled = await ledger.attempts.cancel(job.id, user_id=job.user_id)
    assert await ledger.attempts.complete(attempt, artefact()) is None
    assert await ledger.jobs.get(job.id) == cancelled


async def test_a_cancel_and_a_completion_have_one_winner(ledger):
    for n in range(20):
        job = (await ledger.submissions.submit(submission(request=Request(file_id=70_000 + n)))).job
        attempt = await claimed(ledger, job)
        cancelled, completed = await asyncio.gather(
            ledger.attempts.cancel(job.id, user_id=job.user_id),
            ledger.attempts.complete(attempt, artefact()),
        )
        assert (cancelled is None) != (completed is None)


async def test_another_user_cannot_cancel(ledger, job):
    assert await ledger.attempts.cancel(job.id, user_id="mallory") is None
    assert (await ledger.jobs.get(job.id)).status is Status.QUEUED


async def test_a_cancelled_queued_job_cannot_be_claimed(ledger, job):
    ticket = await handed(ledger, job)
    await ledger.attempts.cancel(job.id, user_id=job.user_id)
    assert await ledger.attempts.claim(ticket, worker="w", lease=LEASE) is None


async def test_a_checkpoint_reaches_the_next_attempt(ledger, job):
    attempt = await claimed(ledger, job)
    await ledger.attempts.save_checkpoint(attempt, {"part": 3})
    await ledger.attempts.retry(attempt, FAILURE, wait=timedelta())
    assert (await claimed(ledger, job)).checkpoint == {"part": 3}


async def test_every_change_of_status_is_an_event_in_order(ledger, job, connection):
    await ledger.attempts.retry(await claimed(ledger, job), FAILURE, wait=timedelta())
    await ledger.attempts.complete(await claimed(ledger, job), artefact())
    assert await events(connection, job.id) == [
        ("queued", "submitted"),
        ("processing", "claimed"),
        ("queued", "retried"),
        ("processing", "claimed"),
        ("completed", "completed"),
    ]


async def test_events_cannot_be_changed(ledger, job, connection):
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await connection.execute("update job_events set status = 'failed' where job_id = $1", job.id)


async def test_the_database_knows_the_same_transitions(ledger, connection):
    rows = await connection.fetch("select before, after from job_transitions")
    assert {(Status(row["before"]), Status(row["after"])) for row in rows} == TRANSITIONS


@pytest.mark.parametrize("after", [status for status in Status if status not in TERMINAL])
async def test_nobody_reopens_a_cancelled_job_not_even_by_hand(ledger, job, connection, after):
    await ledger.attempts.cancel(job.id, user_id=job.user_id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not become"):
        await connection.execute("update jobs set status = $2 where id = $1", job.id, after)


async def test_nobody_changes_a_completed_job_by_hand(ledger, job, connection):
    await ledger.attempts.complete(await claimed(ledger, job), artefact())
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not change"):
        await connection.execute("update jobs set artefact_key = 'other' where id = $1", job.id)


async def test_an_unknown_hand_over_claims_nothing(ledger, job):
    assert await ledger.attempts.claim(Handed(job.id, 99), worker="w", lease=LEASE) is None


async def lose(ledger, jobs, at, *, minutes):
    """All of these run on one worker, and it dies."""
    for job in jobs:
        await claimed(ledger, job, worker="shared")
    await at(minutes=minutes)
    assert len(await ledger.attempts.end_lost()) == len(jobs)


async def test_jobs_that_lost_two_workers_do_not_share_a_third(ledger, at):
    suspects = [(await ledger.submissions.submit(submission(key=f"k{n}"))).job for n in range(3)]
    await lose(ledger, suspects, at, minutes=1)
    await lose(ledger, suspects, at, minutes=2)
    tickets = [await handed(ledger, job) for job in suspects]
    together = await asyncio.gather(
        *(ledger.attempts.claim(ticket, worker="shared", lease=LEASE) for ticket in tickets)
    )
    alone = [attempt for attempt in together if attempt]
    assert len(alone) == 1
    elsewhere = [ticket for ticket in tickets if ticket.job_id != alone[0].job.id]
    assert await ledger.attempts.claim(elsewhere[0], worker="another", lease=LEASE)
    await ledger.attempts.complete(alone[0], artefact())
    assert await ledger.attempts.claim(elsewhere[1], worker="shared", lease=LEASE)
