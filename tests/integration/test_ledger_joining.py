"""Requests under a key that ask to join: one job however often they are sent, and the living one for the same."""

import asyncio
from collections import Counter

import pytest

from haulier.job import Failure, Job, Request
from haulier.ledger import Admission, Ledger
from haulier.limits import ADMIN, RoleLimits
from tests.builders import artefact, submission
from tests.integration.ledger_steps import batch, claimed


async def submit(ledger: Ledger, key: str | None, *, joins: bool = True, **fields) -> Admission:
    return await ledger.submissions.submit(submission(key=key, joins=joins, **fields))


async def failed(ledger: Ledger, job: Job | None) -> None:
    assert job is not None
    await ledger.attempts.fail(await claimed(ledger, job), Failure("source_missing", "Gone."))


@pytest.mark.parametrize("earlier", [None, "before"])
async def test_a_new_key_joins_the_living_job_for_the_same(ledger, earlier):
    first = await submit(ledger, earlier)
    second = await submit(ledger, "new")
    assert (second.outcome, second.job.id) == ("joined", first.job.id)


async def test_a_request_without_a_key_joins_the_job_of_one_that_joins(ledger):
    first = await submit(ledger, "k")
    assert (await submit(ledger, None)).job.id == first.job.id


async def test_a_file_that_is_there_is_joined_within_the_hour(ledger, at):
    first = await submit(ledger, "a")
    await ledger.attempts.complete(await claimed(ledger, first.job), artefact())
    assert (await submit(ledger, "b")).job.id == first.job.id
    await at(minutes=61)
    assert (await submit(ledger, "c")).outcome == "created"


async def test_a_key_stays_with_the_job_it_joined_however_that_ends(ledger):
    first = await submit(ledger, None)
    await submit(ledger, "k")
    await failed(ledger, first.job)
    again = await submit(ledger, "k")
    assert (again.outcome, again.job.id) == ("joined", first.job.id)
    assert (await submit(ledger, "new")).outcome == "created"


async def test_a_key_that_joined_is_refused_for_another_request(ledger):
    await submit(ledger, None)
    await submit(ledger, "k")
    assert (await submit(ledger, "k", request=Request(file_id=70_001))).outcome == "mismatch"


async def test_a_key_that_was_used_before_keeps_its_own_job(ledger):
    own = await submit(ledger, "k", joins=False)
    other = await submit(ledger, None)
    assert own.job.id != other.job.id
    assert (await submit(ledger, "k")).job.id == own.job.id


async def test_a_key_that_is_over_joins_like_a_new_one(ledger, at):
    await failed(ledger, (await submit(ledger, "k", joins=False)).job)
    await at(days=1, seconds=1)
    living = await submit(ledger, None)
    assert (await submit(ledger, "k")).job.id == living.job.id
    await failed(ledger, living.job)
    assert (await submit(ledger, "k")).job.id == living.job.id


async def test_joining_under_a_key_costs_no_quota_and_a_refusal_leaves_no_key(ledger, at):
    limits = RoleLimits(quota_per_day=1)
    first = await submit(ledger, "a", limits=limits)
    assert (await submit(ledger, "b", limits=limits)).job.id == first.job.id
    other = Request(file_id=70_001)
    assert (await submit(ledger, "c", limits=limits, request=other)).outcome == "quota_exceeded"
    await at(days=1)
    made = [await submit(ledger, key, limits=ADMIN, request=other) for key in ("c", None)]
    assert [each.outcome for each in made] == ["created", "joined"]


async def test_concurrent_requests_with_and_without_keys_make_one_job(ledger):
    keys = [f"k{n % 5}" if n % 2 else None for n in range(30)]
    admissions = await asyncio.gather(*(submit(ledger, key, limits=ADMIN) for key in keys))
    assert Counter(each.outcome for each in admissions) == {"created": 1, "joined": 29}
    assert len({each.job.id for each in admissions}) == 1


async def test_batches_and_requests_that_join_do_not_wait_for_each_other(ledger):
    joining = (submit(ledger, f"k{n}", limits=ADMIN, request=Request(file_id=70_000 + n % 3)) for n in range(12))
    batches = (ledger.batches.submit(batch(3, key=f"b{n}")) for n in range(4))
    singles, several = await asyncio.gather(asyncio.gather(*joining), asyncio.gather(*batches))
    jobs = {each.job.id for each in singles} | {job.id for each in several for job in each.jobs}
    assert len(jobs) == 3


async def test_retries_of_one_job_join_each_other(ledger):
    first = await submit(ledger, None)
    await failed(ledger, first.job)
    again = [await submit(ledger, key, retry_of=first.job.id) for key in ("a", "b", None)]
    assert [each.outcome for each in again] == ["created", "joined", "joined"]


async def test_keys_of_those_that_joined_are_kept_for_a_day(ledger, at):
    first = await submit(ledger, None)
    await submit(ledger, "k")
    await failed(ledger, first.job)
    await at(hours=23)
    assert (await submit(ledger, "k")).job.id == first.job.id
    await at(days=1, seconds=1)
    assert (await submit(ledger, "k")).outcome == "created"
