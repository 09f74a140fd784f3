"""One job a file: admitted together, joined where they live already, cancelled together."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from haulier.job import Request, Status, new_job_id
from haulier.limits import FREE, RoleLimits
from tests.builders import submission
from tests.integration.ledger_steps import batch, claimed, taken

FIRST = 70_000


async def jobs(connection):
    return await connection.fetchval("select count(*) from jobs")


async def test_each_file_gets_a_job_in_the_order_of_the_request(ledger):
    asked = batch()
    admission = await ledger.batches.submit(asked)
    assert (admission.outcome, admission.batch_id, admission.joined) == ("created", asked.id, (False,) * 3)
    assert [job.request.file_id for job in admission.jobs] == [FIRST, FIRST + 1, FIRST + 2]
    assert [job.id for job in admission.jobs] == [file.id for file in asked.files]
    assert {job.batch_id for job in admission.jobs} == {asked.id}
    assert await ledger.batches.jobs(asked.id) == list(admission.jobs)
    tags = [job.fair_tag for job in admission.jobs]
    assert tags == sorted(tags)


async def test_a_file_that_is_under_way_is_joined(ledger):
    single = (await ledger.submissions.submit(submission(request=Request(file_id=FIRST + 1)))).job
    admission = await ledger.batches.submit(batch())
    assert admission.joined == (False, True, False)
    assert admission.jobs[1].id == single.id
    assert (await ledger.batches.get(admission.batch_id)).total == 3


async def test_a_single_request_joins_the_job_of_a_batch(ledger):
    admission = await ledger.batches.submit(batch())
    single = await ledger.submissions.submit(submission(request=Request(file_id=FIRST)))
    assert (single.outcome, single.job.id) == ("joined", admission.jobs[0].id)


@pytest.mark.parametrize("limits", [RoleLimits(), FREE])
async def test_the_same_batch_at_once_makes_no_double_jobs(ledger, connection, limits):
    admissions = await asyncio.gather(*(ledger.batches.submit(batch(40, limits=limits)) for _ in range(6)))
    assert await jobs(connection) == 40
    assert len({tuple(job.id for job in admission.jobs) for admission in admissions}) == 1
    assert sum(not any(admission.joined) for admission in admissions) == 1


async def test_batches_that_overlap_crosswise_and_single_requests_do_not_wait_for_each_other(ledger, connection):
    forth, back = batch(40), batch(40)
    back = msgspec.structs.replace(back, files=list(reversed(back.files)))
    singles = [submission(request=Request(file_id=FIRST + n)) for n in range(0, 40, 5)]
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    before = await connection.fetchval(deadlocks)  # of the tests that had this database before
    await asyncio.gather(
        ledger.batches.submit(forth), ledger.batches.submit(back), *(ledger.submissions.submit(one) for one in singles)
    )
    assert await jobs(connection) == 40
    assert await connection.fetchval(deadlocks) == before


async def test_a_batch_counts_once_against_the_rate_and_each_new_job_against_the_quota(ledger):
    await ledger.submissions.submit(submission(limits=FREE))
    admission = await ledger.batches.submit(batch(20, limits=FREE))
    assert (admission.rate.used, admission.quota.used, admission.needed) == (2, 20, 19)


async def test_what_does_not_fit_into_the_quota_leaves_nothing_behind(ledger, connection):
    await ledger.batches.submit(batch(30, limits=FREE))
    refused = await ledger.batches.submit(batch(21, first=80_000, limits=FREE, key="k"))
    assert (refused.outcome, refused.quota.used, refused.needed, refused.jobs) == ("quota_exceeded", 30, 21, ())
    assert await jobs(connection) == 30
    assert await connection.fetchval("select count(*) from idempotency") == 30
    assert (await ledger.batches.submit(batch(20, first=80_000, limits=FREE, key="k"))).outcome == "created"


async def test_the_quota_admits_one_of_two_batches_that_do_not_both_fit(ledger, connection):
    both = await asyncio.gather(
        *(ledger.batches.submit(batch(30, first=70_000 + 1_000 * n, limits=FREE)) for n in range(2))
    )
    assert sorted(admission.outcome for admission in both) == ["created", "quota_exceeded"]
    assert await jobs(connection) == 30


async def test_joining_costs_no_quota(ledger):
    await ledger.batches.submit(batch(50, limits=FREE))
    again = await ledger.batches.submit(batch(50, limits=FREE))
    assert (again.outcome, again.needed, again.quota.used) == ("created", 0, 50)


async def test_cancelled_jobs_of_a_batch_give_their_quota_back(ledger):
    admission = await ledger.batches.submit(batch(50, limits=FREE))
    await ledger.batches.cancel(admission.batch_id)
    assert (await ledger.batches.submit(batch(50, first=80_000, limits=FREE))).outcome == "created"


async def test_the_eleventh_request_within_a_minute_is_refused(ledger):
    for n in range(10):
        await ledger.batches.submit(batch(1, first=70_000 + n, limits=FREE))
    assert (await ledger.batches.submit(batch(1, first=80_000, limits=FREE))).outcome == "rate_limited"


async def test_a_key_with_the_same_files_is_the_same_batch(ledger, connection):
    first, again = await asyncio.gather(*(ledger.batches.submit(batch(5, key="k")) for _ in range(2)))
    assert first.batch_id == again.batch_id
    assert sorted((first.outcome, again.outcome)) == ["created", "joined"]
    assert [job.id for job in first.jobs] == [job.id for job in again.jobs]
    assert await jobs(connection) == 5


async def test_a_key_with_other_files_is_refused_and_so_is_one_of_a_single_request(ledger):
    await ledger.batches.submit(batch(5, key="k"))
    assert (await ledger.batches.submit(batch(4, key="k"))).outcome == "mismatch"
    assert (await ledger.submissions.submit(submission(key="k"))).outcome == "mismatch"
    await ledger.submissions.submit(submission(key="other"))
    assert (await ledger.batches.submit(batch(1, key="other"))).outcome == "mismatch"


async def test_a_batch_tells_how_many_jobs_are_in_which_status(ledger):
    admission = await ledger.batches.submit(batch(3))
    await claimed(ledger, admission.jobs[0])
    await ledger.attempts.cancel(admission.jobs[2].id, user_id="anna")
    found = await ledger.batches.get(admission.batch_id)
    assert found.counts == {Status.PROCESSING: 1, Status.QUEUED: 1, Status.CANCELLED: 1}
    assert await ledger.batches.get(new_job_id()) is None


async def test_cancelling_a_batch_leaves_what_it_joined(ledger):
    single = (await ledger.submissions.submit(submission(request=Request(file_id=FIRST)))).job
    admission = await ledger.batches.submit(batch(3))
    await claimed(ledger, admission.jobs[1])
    cancelled = await ledger.batches.cancel(admission.batch_id)
    assert {job.id for job in cancelled} == {job.id for job in admission.jobs[1:]}
    assert (await ledger.jobs.get(single.id)).status is not Status.CANCELLED
    assert await ledger.batches.cancel(admission.batch_id) == []


async def test_a_batch_is_forgotten_with_the_last_of_its_jobs(ledger, at):
    admission = await ledger.batches.submit(batch(2))
    await ledger.attempts.cancel(admission.jobs[0].id, user_id="anna")
    await at(days=31)
    assert (await _forgotten(ledger)).batches == 0
    found = await ledger.batches.get(admission.batch_id)
    assert (found.total, found.counts) == (2, {Status.QUEUED: 1})
    await ledger.batches.cancel(admission.batch_id)
    await at(days=62)
    assert (await _forgotten(ledger)).batches == 1
    assert await ledger.batches.get(admission.batch_id) is None


async def _forgotten(ledger):
    return await ledger.retention.forget(jobs_after=timedelta(days=30), events_after=timedelta(days=90))


async def test_the_jobs_of_a_batch_stand_in_the_fair_order_like_others(ledger):
    await ledger.workers.announce("steps", slots=2)
    await ledger.batches.submit(batch(20))
    bob = (await ledger.submissions.submit(submission(user_id="bob"))).job
    order = [job.id for job in await taken(ledger)]
    assert order.index(bob.id) < 5
