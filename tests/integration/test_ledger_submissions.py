"""Admission against a real PostgreSQL: idempotency, limits, fair place. One statement each, without races."""

import asyncio
from collections import Counter

import pytest

from haulier.job import Request, Status
from haulier.ledger import Ledger
from haulier.limits import ADMIN, FREE, RoleLimits
from tests.builders import artefact, submission
from tests.integration.ledger_steps import HOUR, claimed, failed

ROOMY = RoleLimits()


async def submit(ledger: Ledger, **fields):
    return await ledger.submissions.submit(submission(**fields))


async def test_a_submission_is_a_queued_job(ledger):
    admission = await submit(ledger, request=Request(file_id=70_000))
    assert (admission.outcome, admission.job.status, admission.job.version) == ("created", Status.QUEUED, 1)
    assert await ledger.jobs.get(admission.job.id) == admission.job


async def test_the_same_file_within_an_hour_is_the_same_job(ledger):
    first = await submit(ledger)
    second = await submit(ledger)
    assert (second.outcome, second.job.id) == ("joined", first.job.id)


async def test_another_user_gets_a_job_of_their_own(ledger):
    first = await submit(ledger, user_id="anna")
    second = await submit(ledger, user_id="ben")
    assert second.outcome == "created"
    assert second.job.id != first.job.id


@pytest.mark.parametrize("ending", ["cancel", "fail"])
async def test_a_failed_or_cancelled_job_never_blocks_a_new_one(ledger, ending):
    first = (await submit(ledger)).job
    if ending == "cancel":
        await ledger.attempts.cancel(first.id, user_id=first.user_id)
    else:
        await failed(ledger, first)
    second = await submit(ledger)
    assert second.outcome == "created"
    assert second.job.id != first.id


async def test_a_completed_job_is_joined_while_its_artefact_lives(ledger):
    first = (await submit(ledger)).job
    await ledger.attempts.complete(await claimed(ledger, first), artefact())
    assert (await submit(ledger)).job.id == first.id


async def test_an_expired_artefact_is_built_anew(ledger, at):
    first = (await submit(ledger, keep_for=HOUR / 2)).job
    await ledger.attempts.complete(await claimed(ledger, first), artefact())
    await at(minutes=31)
    assert (await submit(ledger)).outcome == "created"


async def test_after_an_hour_a_completed_job_is_not_joined(ledger, at):
    first = (await submit(ledger)).job
    await ledger.attempts.complete(await claimed(ledger, first), artefact())
    await at(minutes=61)
    assert (await submit(ledger)).outcome == "created"


async def test_a_job_that_is_still_alive_after_an_hour_is_joined(ledger, at):
    await submit(ledger)
    await at(minutes=61)
    assert (await submit(ledger)).outcome == "joined"


async def test_a_key_with_the_same_body_is_the_same_job_even_when_it_failed(ledger):
    first = (await submit(ledger, key="k")).job
    await failed(ledger, first)
    assert (await submit(ledger, key="k")).job.id == first.id


async def test_a_key_with_another_body_is_refused(ledger):
    await submit(ledger, key="k", request=Request(file_id=70_000))
    admission = await submit(ledger, key="k", request=Request(file_id=70_001))
    assert (admission.outcome, admission.job) == ("mismatch", None)


async def test_keys_are_per_user(ledger):
    await submit(ledger, key="k", user_id="anna", request=Request(file_id=70_000))
    assert (await submit(ledger, key="k", user_id="ben", request=Request(file_id=70_001))).outcome == "created"


async def test_a_key_makes_a_job_of_its_own_for_the_same_file(ledger):
    first = await submit(ledger)
    assert (await submit(ledger, key="k")).job.id != first.job.id


async def test_concurrent_requests_for_a_file_make_one_job(ledger):
    admissions = await asyncio.gather(*(submit(ledger, limits=ADMIN) for _ in range(30)))
    assert Counter(a.outcome for a in admissions) == {"created": 1, "joined": 29}
    assert len({a.job.id for a in admissions}) == 1


async def test_the_eleventh_start_within_a_minute_is_refused(ledger):
    admissions = [await submit(ledger, request=Request(file_id=70_000 + n), limits=FREE) for n in range(11)]
    assert [a.outcome for a in admissions] == ["created"] * 10 + ["rate_limited"]
    assert admissions[-1].rate.used == 10


async def test_a_minute_later_starts_are_allowed_again(ledger, at):
    for n in range(11):
        await submit(ledger, request=Request(file_id=70_000 + n), limits=FREE)
    await at(seconds=60)
    assert (await submit(ledger, request=Request(file_id=80_000), limits=FREE)).outcome == "created"


async def test_the_daily_quota_admits_exactly_what_is_left_however_many_ask_at_once(ledger):
    limits = RoleLimits(quota_per_day=5)
    admissions = await asyncio.gather(
        *(submit(ledger, request=Request(file_id=70_000 + n), limits=limits) for n in range(40))
    )
    assert Counter(a.outcome for a in admissions) == {"created": 5, "quota_exceeded": 35}
    assert await ledger.jobs.count_of_user("anna", status=None) == 5


async def test_a_refused_quota_leaves_no_key_behind(ledger, at):
    limits = RoleLimits(quota_per_day=1)
    await submit(ledger, limits=limits)
    refused = await submit(ledger, limits=limits, key="k", request=Request(file_id=70_001))
    await at(days=1)
    again = await submit(ledger, limits=limits, key="k", request=Request(file_id=70_002))
    assert (refused.outcome, again.outcome) == ("quota_exceeded", "created")


async def test_joining_costs_no_quota(ledger):
    limits = RoleLimits(quota_per_day=1)
    await submit(ledger, limits=limits)
    assert (await submit(ledger, limits=limits)).outcome == "joined"


async def test_without_workers_nothing_is_handed_over(ledger):
    assert not (await submit(ledger)).job.handed


async def test_with_room_a_fresh_job_is_handed_over_at_once(ledger):
    await ledger.workers.announce("w", slots=1)
    job = (await submit(ledger)).job
    assert (job.handed, job.handover) == (True, 1)


async def test_a_full_window_leaves_jobs_to_the_dispatcher(ledger):
    await ledger.workers.announce("w", slots=1)
    jobs = [(await submit(ledger, request=Request(file_id=70_000 + n), limits=ROOMY)).job for n in range(4)]
    assert [job.handed for job in jobs] == [True, True, True, False]


async def test_the_running_cap_holds_jobs_back(ledger):
    await ledger.workers.announce("w", slots=50)
    limits = RoleLimits(running=3)
    jobs = [(await submit(ledger, request=Request(file_id=70_000 + n), limits=limits)).job for n in range(5)]
    assert [job.handed for job in jobs] == [True] * 3 + [False] * 2


async def test_a_worker_that_was_not_seen_for_half_a_minute_gives_no_room(ledger, at):
    await ledger.workers.announce("w", slots=50)
    await at(seconds=31)
    assert not (await submit(ledger)).job.handed
