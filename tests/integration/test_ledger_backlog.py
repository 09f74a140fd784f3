"""The backlog against a real PostgreSQL: places in line, what is due, what is over."""

from datetime import timedelta

import pytest

from haulier.job import Status
from haulier.ledger import migrate, pending
from tests.builders import artefact
from tests.integration.ledger_steps import claimed, handed, queue


async def test_positions_count_those_ahead(ledger):
    jobs = await queue(ledger, "anna", 3)
    places = [await ledger.jobs.place_in_line(job.id) for job in jobs]
    assert [(place.in_engine, place.in_line) for place in places] == [(0, 0), (0, 1), (0, 2)]


async def test_a_handed_over_job_stands_before_the_backlog(ledger):
    jobs = await queue(ledger, "anna", 3)
    await ledger.workers.announce("w", slots=1)
    await ledger.backlog.take(most=2)
    places = [await ledger.jobs.place_in_line(job.id) for job in jobs]
    assert [(place.in_engine, place.in_line) for place in places] == [(0, 0), (1, 0), (2, 0)]


async def test_a_running_job_has_no_position(ledger):
    (job,) = await queue(ledger, "anna", 1)
    await claimed(ledger, job)
    assert await ledger.jobs.place_in_line(job.id) is None


async def test_fresh_hand_overs_are_not_doubted(ledger, at):
    (job,) = await queue(ledger, "anna", 1)
    ticket = await handed(ledger, job)
    assert await ledger.backlog.unclaimed(age=timedelta(minutes=2)) == []
    await at(minutes=3)
    assert await ledger.backlog.unclaimed(age=timedelta(minutes=2)) == [ticket]


async def test_artefacts_expire_once(ledger, at):
    (job,) = await queue(ledger, "anna", 1)
    await ledger.attempts.complete(await claimed(ledger, job), artefact())
    await at(hours=25)
    ((expired,), keys) = await _expired(ledger)
    assert keys == {expired.artefact.key}
    assert (expired.id, expired.status, expired.artefact_expired) == (job.id, Status.COMPLETED, True)
    assert await _expired(ledger) == ((), frozenset())


async def test_only_running_and_published_attempts_own_objects(ledger):
    running, published, cancelled = await queue(ledger, "anna", 3)
    await claimed(ledger, running)
    await ledger.attempts.complete(await claimed(ledger, published), artefact())
    await claimed(ledger, cancelled)
    await ledger.attempts.cancel(cancelled.id, user_id="anna")
    owners = {
        "artifacts/r/1/f": (running.id, 1),
        artefact().key: (published.id, 1),
        "artifacts/c/1/f": (cancelled.id, 1),
    }
    assert await ledger.retention.keys_in_use(owners) == {"artifacts/r/1/f", artefact().key}


async def test_history_knows_quartiles_by_size(ledger, at):
    for n, job in enumerate(await queue(ledger, "anna", 3), start=1):
        attempt = await claimed(ledger, job)
        await at(seconds=10 * n + sum(range(n)) * 10)
        await ledger.attempts.complete(attempt, artefact(size=2_000_000))
    by_size = {duration.size_class: duration for duration in await ledger.jobs.durations()}
    assert set(by_size) == {None, 6}
    assert by_size[None].samples == 3
    assert by_size[None].low_s < by_size[None].median_s < by_size[None].high_s


async def test_pages_follow_each_other_newest_first(ledger):
    jobs = await queue(ledger, "anna", 5)
    first = await ledger.jobs.of_user("anna", status=None, limit=2)
    rest = await ledger.jobs.of_user("anna", status=None, limit=9, before=first[-1].id)
    assert [job.id for job in first + rest] == [job.id for job in reversed(jobs)]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.CANCELLED])
async def test_pages_can_be_of_one_status(ledger, status):
    jobs = await queue(ledger, "anna", 2)
    await ledger.attempts.cancel(jobs[0].id, user_id="anna")
    found = await ledger.jobs.of_user("anna", status=status, limit=9)
    assert [job.status for job in found] == [status]
    assert await ledger.jobs.count_of_user("anna", status=status) == 1


async def test_migrating_again_does_nothing(database_url):
    assert await pending(database_url) == []
    assert await migrate(database_url) == []


async def _expired(ledger):
    expired = await ledger.retention.expire_artefacts()
    return expired.jobs, expired.keys
