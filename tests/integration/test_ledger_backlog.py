"""The backlog against a real PostgreSQL: fair order, caps, what is due, what is over."""

from datetime import timedelta

import pytest

from haulier.job import Request, Status
from haulier.ledger import migrate, pending
from haulier.limits import RoleLimits
from tests.builders import artefact, submission
from tests.integration.ledger_steps import HOUR, claimed, handed

FREE_WEIGHT = RoleLimits(weight=1)
PREMIUM_WEIGHT = RoleLimits(weight=10)


async def queue(ledger, user_id, count, limits=FREE_WEIGHT, first=70_000):
    return [
        (
            await ledger.submissions.submit(
                submission(user_id=user_id, request=Request(file_id=first + n), limits=limits)
            )
        ).job
        for n in range(count)
    ]


async def order(ledger, *, slots=500):
    await ledger.workers.announce("w", slots=slots)
    taken = await ledger.backlog.take(most=1_000)
    return [(await ledger.jobs.get(ticket.job_id)).user_id for ticket in taken]


async def test_users_take_turns(ledger):
    await queue(ledger, "anna", 3)
    await queue(ledger, "ben", 3)
    assert sorted((await order(ledger))[:2]) == ["anna", "ben"]


async def test_a_users_many_jobs_do_not_delay_anothers_few(ledger):
    await queue(ledger, "greedy", 100)
    await queue(ledger, "modest", 5)
    places = [place for place, user in enumerate(await order(ledger)) if user == "modest"]
    assert max(places) < 12


async def test_a_heavier_role_goes_more_often_and_the_lighter_is_not_starved(ledger):
    await queue(ledger, "premium", 40, PREMIUM_WEIGHT)
    await queue(ledger, "free", 4, FREE_WEIGHT)
    first_22 = (await order(ledger))[:22]
    assert first_22.count("premium") >= 18
    assert first_22.count("free") >= 2


async def test_an_idle_queue_forgets_the_past(ledger):
    for job in await queue(ledger, "busy", 10):
        await ledger.attempts.cancel(job.id, user_id="busy")
    await queue(ledger, "busy", 1, first=80_000)
    await queue(ledger, "new", 5)
    assert (await order(ledger)).index("busy") <= 1


async def test_the_window_follows_the_slots(ledger):
    await queue(ledger, "anna", 10)
    assert len(await order(ledger, slots=2)) == 4


async def test_running_caps_hold_jobs_back_and_let_others_pass(ledger):
    await queue(ledger, "capped", 10, RoleLimits(running=2))
    await queue(ledger, "other", 3)
    users = await order(ledger)
    assert (users.count("capped"), users.count("other")) == (2, 3)
    assert await order(ledger) == []


async def test_a_finished_job_makes_room_under_the_cap(ledger):
    jobs = await queue(ledger, "capped", 3, RoleLimits(running=1))
    attempt = await claimed(ledger, jobs[0])
    assert await order(ledger) == []
    await ledger.attempts.complete(attempt, artefact(), keep_for=HOUR)
    assert await order(ledger) == ["capped"]


async def test_positions_count_those_ahead(ledger):
    jobs = await queue(ledger, "anna", 3)
    assert [await ledger.jobs.queue_position(job.id) for job in jobs] == [1, 2, 3]


async def test_a_handed_over_job_stands_before_the_backlog(ledger):
    jobs = await queue(ledger, "anna", 3)
    await ledger.workers.announce("w", slots=1)
    await ledger.backlog.take(most=2)
    assert [await ledger.jobs.queue_position(job.id) for job in jobs] == [1, 2, 3]


async def test_a_running_job_has_no_position(ledger):
    (job,) = await queue(ledger, "anna", 1)
    await claimed(ledger, job)
    assert await ledger.jobs.queue_position(job.id) is None


async def test_fresh_hand_overs_are_not_doubted(ledger, at):
    (job,) = await queue(ledger, "anna", 1)
    ticket = await handed(ledger, job)
    assert await ledger.backlog.unclaimed(age=timedelta(seconds=2)) == []
    await at(seconds=3)
    assert await ledger.backlog.unclaimed(age=timedelta(seconds=2)) == [ticket]


async def test_artefacts_expire_once(ledger, at):
    (job,) = await queue(ledger, "anna", 1)
    await ledger.attempts.complete(await claimed(ledger, job), artefact(), keep_for=HOUR)
    await at(minutes=61)
    (expired,) = await ledger.backlog.expire_artefacts()
    assert (expired.id, expired.status, expired.artefact_expired) == (job.id, Status.COMPLETED, True)
    assert await ledger.backlog.expire_artefacts() == []


async def test_only_running_and_published_attempts_own_objects(ledger):
    running, published, cancelled = await queue(ledger, "anna", 3)
    await claimed(ledger, running)
    await ledger.attempts.complete(await claimed(ledger, published), artefact(), keep_for=HOUR)
    await claimed(ledger, cancelled)
    await ledger.attempts.cancel(cancelled.id, user_id="anna")
    alive = await ledger.backlog.attempts_alive([running.id, published.id, cancelled.id])
    assert alive == {(running.id, 1), (published.id, 1)}


async def test_history_knows_quartiles_by_size(ledger, at):
    for n, job in enumerate(await queue(ledger, "anna", 3), start=1):
        attempt = await claimed(ledger, job)
        await at(seconds=10 * n + sum(range(n)) * 10)
        await ledger.attempts.complete(attempt, artefact(size=2_000_000), keep_for=HOUR)
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
