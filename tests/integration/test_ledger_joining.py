"""Requests under a key that ask to join: one job however often they are sent, and the living one for the same."""

import asyncio
from collections import Counter

import pytest

from haulier.job import Request
from haulier.ledger import Admission, Ledger
from haulier.limits import ADMIN, RoleLimits
from tests.builders import artefact, submission
from tests.integration.ledger_steps import batch, claimed, failed

OTHER = Request(file_id=70_001)


async def submit(ledger: Ledger, key: str | None, *, joins: bool = True, **fields) -> Admission:
    return await ledger.submissions.submit(submission(key=key, joins=joins, **fields))


@pytest.mark.parametrize("earlier", [None, "before"])
async def test_a_new_key_joins_the_living_job_for_the_same(ledger, earlier):
    first = await submit(ledger, earlier)
    second = await submit(ledger, "new")
    assert (second.outcome, second.job.id) == ("joined", first.job.id)


async def test_what_was_made_under_a_key_that_joins_is_joined_in_place_of_what_failed(ledger):
    await failed(ledger, (await submit(ledger, None)).job)
    first = await submit(ledger, "a")
    assert first.outcome == "created"
    assert [(await submit(ledger, key)).job.id for key in ("b", None)] == [first.job.id] * 2


async def test_a_file_that_is_there_is_joined_within_the_hour(ledger, at):
    await failed(ledger, (await submit(ledger, None)).job)
    await at(minutes=61)
    first = await submit(ledger, "a")
    await ledger.attempts.complete(await claimed(ledger, first.job), artefact())
    await at(minutes=120)
    assert (await submit(ledger, "b")).job.id == first.job.id
    await at(minutes=122)
    assert (await submit(ledger, "c")).outcome == "created"


async def test_a_key_stays_for_a_day_with_the_job_it_joined_however_that_ends(ledger, at):
    first = await submit(ledger, None)
    await submit(ledger, "k")
    await failed(ledger, first.job)
    await at(hours=23)
    again = await submit(ledger, "k")
    assert (again.outcome, again.job.id) == ("joined", first.job.id)
    await at(days=1, seconds=1)
    assert (await submit(ledger, "k")).outcome == "created"


async def test_a_key_that_joined_is_refused_for_another_request(ledger):
    await submit(ledger, None)
    await submit(ledger, "k")
    assert (await submit(ledger, "k", request=OTHER)).outcome == "mismatch"


async def test_a_key_that_was_used_before_keeps_its_own_job(ledger):
    own = await submit(ledger, "k", joins=False)
    other = await submit(ledger, None)
    assert own.job.id != other.job.id
    assert (await submit(ledger, "k")).job.id == own.job.id


@pytest.mark.parametrize("before", [Request(file_id=70_000), OTHER])
async def test_a_key_that_is_over_joins_like_a_new_one(ledger, at, before):
    await failed(ledger, (await submit(ledger, "k", joins=False, request=before)).job)
    await at(days=1, seconds=1)
    living = await submit(ledger, None)
    assert (await submit(ledger, "k")).job.id == living.job.id
    await failed(ledger, living.job)
    assert (await submit(ledger, "k")).job.id == living.job.id


async def test_a_key_whose_job_is_forgotten_is_a_new_one(ledger, connection):
    await submit(ledger, "k")
    await connection.execute("delete from jobs")
    second = await submit(ledger, "k")
    assert second.outcome == "created"
    assert [(await submit(ledger, key)).job.id for key in ("k", None)] == [second.job.id] * 2


async def test_joining_costs_no_quota_and_a_refusal_leaves_no_key(ledger, connection):
    limits = RoleLimits(quota_per_day=1)
    first = await submit(ledger, "a", limits=limits)
    assert (await submit(ledger, "b", limits=limits)).job.id == first.job.id
    refused = await submit(ledger, "c", limits=limits, request=OTHER)
    assert (refused.outcome, refused.job) == ("quota_exceeded", None)
    assert await connection.fetchval("select array_agg(job_id) from idempotency") == [first.job.id] * 3


async def test_concurrent_requests_with_and_without_keys_make_one_job(ledger):
    keys = ["k0", None, "k1", None, "k2"] * 6
    admissions = await asyncio.gather(*(submit(ledger, key, limits=ADMIN) for key in keys))
    assert Counter(each.outcome for each in admissions) == {"created": 1, "joined": 29}
    assert len({each.job.id for each in admissions}) == 1


async def test_retries_of_one_job_join_each_other(ledger):
    first = await submit(ledger, None)
    await failed(ledger, first.job)
    again = [await submit(ledger, key, retry_of=first.job.id) for key in ("a", "b", None)]
    assert [each.outcome for each in again] == ["created", "joined", "joined"]


@pytest.mark.parametrize("key", [None, "r"])
async def test_the_job_of_a_retry_is_joined_like_any(ledger, key):
    first = await submit(ledger, None)
    await failed(ledger, first.job)
    retry = await submit(ledger, key, retry_of=first.job.id)
    assert [(await submit(ledger, key)).job.id for key in (None, "new")] == [retry.job.id] * 2
    assert (await ledger.batches.submit(batch(1))).jobs[0].id == retry.job.id


async def test_a_retry_makes_a_job_beside_the_living_one_for_the_same_which_keeps_its_place(ledger):
    first = await submit(ledger, None)
    await failed(ledger, first.job)
    living = await submit(ledger, None)
    retry = await submit(ledger, None, retry_of=first.job.id)
    assert retry.outcome == "created"
    assert (await submit(ledger, None)).job.id == living.job.id


async def test_under_a_key_a_retry_is_another_request(ledger):
    first = await submit(ledger, "k")
    await failed(ledger, first.job)
    assert (await submit(ledger, "k", retry_of=first.job.id)).outcome == "mismatch"
