"""What changes while jobs wait, against a real PostgreSQL: a user's role, their place in line, the meaning of a key."""

from haulier.job import Request
from haulier.limits import RoleLimits
from tests.builders import submission
from tests.integration.ledger_steps import queue, taken

LIMITS = RoleLimits(role_running=1)


async def held(connection) -> dict[str, int]:
    """How many jobs the engine holds of each role."""
    rows = await connection.fetch("select role, count(*) from jobs where handed_at is not null group by role")
    return {row["role"]: row["count"] for row in rows}


async def test_jobs_of_a_user_who_changed_roles_count_against_the_new_roles_cap(ledger, connection):
    await queue(ledger, "anna", 4, LIMITS, role="free")
    await queue(ledger, "anna", 1, LIMITS, role="premium", first=80_000)
    await queue(ledger, "ben", 2, LIMITS, role="free")
    for _ in range(3):
        await taken(ledger)
    assert await held(connection) == {"free": 1, "premium": 1}


async def test_jobs_of_a_user_who_changed_roles_leave_the_old_roles_room_to_others(ledger):
    await queue(ledger, "anna", 1, LIMITS, role="free")
    await queue(ledger, "anna", 1, LIMITS, role="premium", first=80_000)
    await queue(ledger, "ben", 1, LIMITS, role="free")
    assert sorted({job.user_id for job in await taken(ledger)}) == ["anna", "ben"]


async def test_after_cancels_a_users_new_job_may_be_their_first_in_turn(ledger, connection):
    await queue(ledger, "anna", 5)
    for job in await taken(ledger, slots=1):
        await ledger.attempts.cancel(job.id, user_id="anna")
    await queue(ledger, "anna", 1, first=80_000)
    row = await connection.fetchrow(
        "select head_tag, (select min(fair_tag) from jobs where status = 'queued') as first_tag"
        " from users where user_id = 'anna'"
    )
    assert row["head_tag"] == row["first_tag"]


async def test_a_key_that_is_over_is_not_another_files_job(ledger, at):
    first = await ledger.submissions.submit(submission(key="k", request=Request(file_id=70_000)))
    await at(days=1, seconds=1)
    second = await ledger.submissions.submit(submission(key="k", request=Request(file_id=70_001)))
    assert (second.outcome, second.job.request.file_id) == ("created", 70_001)
    assert second.job.id != first.job.id


async def test_a_key_that_is_over_still_joins_its_own_job_while_it_waits(ledger, at):
    first = await ledger.submissions.submit(submission(key="k"))
    await at(days=1, seconds=1)
    assert (await ledger.submissions.submit(submission(key="k"))).job.id == first.job.id
