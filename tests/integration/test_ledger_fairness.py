"""Who goes next, against a real PostgreSQL: turns, weights, caps, ageing, and what a cancel gives back."""

import asyncio
from collections import Counter

from haulier.job import Handed, Request
from haulier.limits import RoleLimits
from tests.builders import submission
from tests.integration.ledger_steps import LEASE, queue, run, taken

LIGHT = RoleLimits(weight=1)
HEAVY = RoleLimits(weight=10)


async def users(ledger, *, slots=500):
    return [job.user_id for job in await taken(ledger, slots=slots)]


async def served(ledger, count, *, slots):
    """The owners of the next `count` jobs when a fleet of `slots` runs one after the other."""
    owners = []
    while len(owners) < count:
        for job in await taken(ledger, slots=slots):
            owners.append(job.user_id)
            await run(ledger, job)
    return owners[:count]


async def test_users_take_turns(ledger):
    await queue(ledger, "anna", 3)
    await queue(ledger, "ben", 3)
    assert sorted((await users(ledger))[:2]) == ["anna", "ben"]


async def test_a_users_many_jobs_do_not_delay_anothers_few(ledger):
    await queue(ledger, "greedy", 90)
    await queue(ledger, "modest", 5)
    places = [place for place, user in enumerate(await users(ledger)) if user == "modest"]
    assert max(places) < 12


async def test_many_jobs_that_are_half_done_do_not_delay_a_newcomer(ledger):
    await queue(ledger, "greedy", 60)
    await served(ledger, 30, slots=2)
    await queue(ledger, "newcomer", 3)
    assert (await served(ledger, 10, slots=2)).count("newcomer") == 3


async def test_a_heavier_user_goes_more_often_and_the_lighter_is_not_starved(ledger):
    await queue(ledger, "premium", 40, HEAVY)
    await queue(ledger, "free", 4, LIGHT)
    first_22 = (await users(ledger))[:22]
    assert first_22.count("premium") >= 18
    assert first_22.count("free") >= 2


async def test_a_role_keeps_a_tenth_of_the_slots_however_many_heavier_users_there_are(ledger):
    for n in range(8):
        await queue(ledger, f"premium {n}", 15, HEAVY, role="premium")
    await queue(ledger, "free", 15, LIGHT, role="free")
    assert 10 <= (await served(ledger, 100, slots=1)).count("free") <= 20


async def test_an_idle_queue_forgets_the_past(ledger):
    await queue(ledger, "busy", 10)
    await served(ledger, 10, slots=2)
    await ledger.workers.dismiss("steps")
    await queue(ledger, "new", 5)
    await queue(ledger, "busy", 1, first=80_000)
    assert (await users(ledger)).index("busy") <= 2


async def test_jobs_handed_over_directly_cost_no_place_later(ledger):
    await ledger.workers.announce("steps", slots=50)
    for job in await queue(ledger, "busy", 10):
        await run(ledger, job)
    await ledger.workers.dismiss("steps")
    await queue(ledger, "new", 5)
    await queue(ledger, "busy", 1, first=80_000)
    assert (await users(ledger)).index("busy") <= 2


async def test_cancelled_jobs_give_their_place_back(ledger):
    for job in await queue(ledger, "fickle", 10):
        await ledger.attempts.cancel(job.id, user_id="fickle")
    await queue(ledger, "steady", 5)
    await queue(ledger, "fickle", 1, first=80_000)
    assert (await users(ledger)).index("fickle") <= 1


async def test_a_cancelled_job_gives_its_quota_back(ledger):
    limits = RoleLimits(quota_per_day=2)
    first, _ = await queue(ledger, "anna", 2, limits)
    await ledger.attempts.cancel(first.id, user_id="anna")
    admissions = [
        await ledger.submissions.submit(submission(limits=limits, request=Request(file_id=80_000 + n)))
        for n in range(2)
    ]
    assert [admission.outcome for admission in admissions] == ["created", "quota_exceeded"]


async def test_a_job_cancelled_while_it_runs_gives_no_quota_back(ledger):
    limits = RoleLimits(quota_per_day=1)
    (job,) = await queue(ledger, "anna", 1, limits)
    (handed,) = await taken(ledger)
    await ledger.attempts.claim(Handed(handed.id, handed.handover), worker="w1", lease=LEASE)
    await ledger.attempts.cancel(job.id, user_id="anna")
    again = await ledger.submissions.submit(submission(limits=limits, request=Request(file_id=80_000)))
    assert again.outcome == "quota_exceeded"


async def test_yesterdays_quota_is_not_given_back_today(ledger, at):
    limits = RoleLimits(quota_per_day=1)
    (job,) = await queue(ledger, "anna", 1, limits)
    await at(days=1)
    await queue(ledger, "anna", 1, limits, first=80_000)
    await ledger.attempts.cancel(job.id, user_id="anna")
    again = await ledger.submissions.submit(submission(limits=limits, request=Request(file_id=90_000)))
    assert again.outcome == "quota_exceeded"


async def test_who_was_passed_over_for_long_goes_before_newcomers(ledger, at):
    await queue(ledger, "patient", 3)
    owners = []
    for minute in range(0, 60, 3):
        await at(minutes=minute)
        for n in range(3):
            await queue(ledger, f"newcomer {minute} {n}", 1)
        for job in await taken(ledger, slots=1):
            owners.append(job.user_id)
            await run(ledger, job)
    assert owners.count("patient") == 3


async def test_the_window_follows_the_slots(ledger):
    await queue(ledger, "anna", 10)
    assert len(await users(ledger, slots=2)) == 4


async def test_running_caps_hold_jobs_back_and_let_others_pass(ledger):
    await queue(ledger, "capped", 10, RoleLimits(running=2))
    await queue(ledger, "other", 3)
    assert Counter(await users(ledger)) == {"capped": 2, "other": 3}
    assert await users(ledger) == []


async def test_a_finished_job_makes_room_under_the_cap(ledger):
    await queue(ledger, "capped", 3, RoleLimits(running=1))
    (first,) = await taken(ledger)
    assert await users(ledger) == []
    await run(ledger, first)
    assert await users(ledger) == ["capped"]


async def test_a_roles_cap_holds_its_users_back_and_lets_other_roles_pass(ledger):
    for n in range(4):
        await queue(ledger, f"free {n}", 2, RoleLimits(role_running=3))
    await queue(ledger, "premium", 3, role="premium")
    assert Counter(user.split()[0] for user in await users(ledger)) == {"free": 3, "premium": 3}
    assert await users(ledger) == []


async def test_caps_hold_while_jobs_are_submitted_and_handed_over_at_the_same_time(ledger, connection):
    await ledger.workers.announce("steps", slots=50)
    limits = RoleLimits(running=2, role_running=5)

    async def submit_some(user_id):
        for job in await queue(ledger, user_id, 6, limits):
            if job.handed:
                await run(ledger, job)

    async def dispatch():
        for _ in range(30):
            await ledger.backlog.take(most=3)
            rows = await connection.fetch("select user_id from jobs where handed_at is not null")
            held = Counter(row["user_id"] for row in rows)
            assert max(held.values(), default=0) <= 2
            assert held.total() <= 5

    await asyncio.gather(dispatch(), *(submit_some(f"user {n}") for n in range(4)))


async def test_a_cancelled_first_job_does_not_hide_the_others(ledger):
    jobs = await queue(ledger, "anna", 3)
    await ledger.attempts.cancel(jobs[0].id, user_id="anna")
    assert [job.id for job in await taken(ledger)] == [jobs[1].id, jobs[2].id]


async def test_a_job_whose_wait_is_over_goes_before_its_users_other_jobs(ledger, at):
    first, *_ = await queue(ledger, "anna", 3)
    (handed, *_) = await taken(ledger, slots=1)
    attempt = await ledger.attempts.claim(Handed(handed.id, handed.handover), worker="w1", lease=LEASE)
    await ledger.attempts.hand_back(attempt)
    assert (await taken(ledger, slots=2))[0].id == first.id
