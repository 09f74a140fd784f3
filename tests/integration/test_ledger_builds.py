"""Builds against a real PostgreSQL: one attempt leads, others follow or take, and what was stored is gone on with."""

import asyncio

import pytest

from haulier.job import Failure, FileStates, Progress, Request, Status
from haulier.ledger import Beat, KeptPart, KeptUpload
from haulier.provenance import Input, Provenance
from tests.builders import artefact, submission
from tests.integration.ledger_steps import LEASE, claimed

KEY, OTHER = b"k" * 32, b"o" * 32
UPLOAD = KeptUpload("artifacts/x/1/f.zip", "handle-1")
FAILURE = Failure("source_unavailable", "The origin does not answer.")
FACTS = Provenance(
    haulier="0.1.0", preparer="archive", preparer_version="1", recipe="ab", inputs=(Input("a", '"1"', 5),),
    inputs_total=1, inputs_sha256="cd", built_by="the-leader", attempt=1, started_at="t0", finished_at="t1",
)  # fmt: skip


def part(number: int, **fields) -> KeptPart:
    known = {
        "size": 16,
        "etag": f'"{number}"',
        "digests": b"state",
        "mark_offset": 16 * number - 1,
        "mark": {"member": number},
        "log": b"%d," % number,
    }
    return KeptPart(number=number, **known | fields)


@pytest.fixture
def attempt_of(ledger):
    """`await attempt_of("bob")`: a running attempt of a user's own job for the same file."""

    async def start(user_id: str):
        job = (await ledger.submissions.submit(submission(user_id=user_id, request=Request(file_id=70_000)))).job
        return await claimed(ledger, job, worker=f"worker of {user_id}")

    return start


async def reload(ledger, attempt):
    return await ledger.jobs.get(attempt.job.id)


async def test_the_first_attempt_leads_and_the_second_follows(ledger, attempt_of):
    leader, follower = await attempt_of("anna"), await attempt_of("bob")
    assert (await ledger.builds.join(KEY, leader)).outcome == "leading"
    assert (await ledger.builds.join(KEY, follower)).outcome == "following"
    parked = await reload(ledger, follower)
    assert (parked.status, parked.handed) == (Status.PROCESSING, False)


async def test_another_build_is_led_by_another(ledger, attempt_of):
    await ledger.builds.join(KEY, await attempt_of("anna"))
    assert (await ledger.builds.join(OTHER, await attempt_of("bob"))).outcome == "leading"


async def test_of_many_at_once_one_leads(ledger, attempt_of):
    attempts = [await attempt_of(f"user{n}") for n in range(8)]
    joined = await asyncio.gather(*(ledger.builds.join(KEY, attempt) for attempt in attempts))
    assert sorted(each.outcome for each in joined) == ["following"] * 7 + ["leading"]


async def test_followers_complete_with_their_leader(ledger, attempt_of, connection):
    leader, follower = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.join(KEY, follower)
    done = await ledger.attempts.complete(leader, artefact(size=9), provenance=FACTS)
    (told,) = await ledger.attempts.followers(done)
    shared = await reload(ledger, follower)
    assert told == shared
    assert (shared.status, shared.artefact, shared.attempts_used) == (Status.COMPLETED, done.artefact, 1)
    facts = await connection.fetch("select facts->>'built_by' as by from provenance")
    assert [row["by"] for row in facts] == ["the-leader"] * 2
    audit = await connection.fetch(
        "select status, reason from job_events where job_id = $1 order by version", follower.job.id
    )
    assert [tuple(row) for row in audit][-1] == ("completed", "shared")


async def test_followers_see_the_leaders_progress(ledger, attempt_of):
    leader, follower = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.join(KEY, follower)
    told = await ledger.attempts.beat([Beat(leader, Progress("archiving", 5, 10, 50))], lease=LEASE)
    assert told.keys() == {leader.job.id, follower.job.id}
    assert (await reload(ledger, follower)).progress == Progress("archiving", 5, 10, 50)


async def test_a_follower_has_left_its_worker(ledger, attempt_of, at):
    leader, follower = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.join(KEY, follower)
    assert await ledger.attempts.beat([Beat(follower, Progress())], lease=LEASE) == {}
    await ledger.attempts.beat([Beat(leader, Progress())], lease=LEASE * 1_000)
    await at(seconds=LEASE.total_seconds() * 10)
    assert await ledger.attempts.end_lost() == []


@pytest.mark.parametrize("end", ["cancel", "retry", "fail", "hand_back", "lost"])
async def test_when_a_leader_ends_without_an_artefact_a_follower_takes_over_from_its_parts(ledger, attempt_of, at, end):
    leader, follower = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.keep_upload(KEY, leader, UPLOAD)
    await ledger.builds.record(KEY, leader, [part(1), part(2)])
    await ledger.builds.join(KEY, follower)
    match end:
        case "cancel":
            await ledger.attempts.cancel(leader.job.id, user_id="anna")
        case "retry":
            await ledger.attempts.retry(leader, FAILURE, wait=LEASE)
        case "fail":
            await ledger.attempts.fail(leader, FAILURE)
        case "hand_back":
            await ledger.attempts.hand_back(leader)
        case "lost":
            await at(seconds=LEASE.total_seconds() + 1)
            await ledger.attempts.end_lost()
    freed = await reload(ledger, follower)
    assert (freed.status, freed.attempts_used) == (Status.QUEUED, 0)
    assert await ledger.builds.release(KEY, leader) is None  # somebody still wants it

    again = await claimed(ledger, freed)
    joined = await ledger.builds.join(KEY, again)
    assert (joined.outcome, joined.upload) == ("leading", UPLOAD)
    assert [kept.log for kept in await ledger.builds.parts(KEY)] == [b"1,", b"2,"]


async def test_cancelling_a_follower_leaves_the_leader_alone(ledger, attempt_of):
    leader, follower = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.join(KEY, follower)
    await ledger.attempts.cancel(follower.job.id, user_id="bob")
    done = await ledger.attempts.complete(leader, artefact())
    assert done.status is Status.COMPLETED
    assert (await reload(ledger, follower)).status is Status.CANCELLED


async def test_what_a_cancelled_leader_stored_is_given_up_when_nobody_wants_it(ledger, attempt_of):
    leader = await attempt_of("anna")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.keep_upload(KEY, leader, UPLOAD)
    assert await ledger.builds.release(KEY, leader) is None  # it still runs
    await ledger.attempts.cancel(leader.job.id, user_id="anna")
    assert (await ledger.builds.release(KEY, leader)).upload == UPLOAD
    assert await ledger.builds.parts(KEY) == []


async def test_an_artefact_that_lives_is_taken_at_once(ledger, attempt_of):
    leader, late = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    done = await ledger.attempts.complete(leader, artefact(), provenance=FACTS)
    offered = await ledger.builds.join(KEY, late)
    assert (offered.outcome, offered.artefact) == ("exists", done.artefact)
    assert (await ledger.builds.join(KEY, late, take=done.artefact.key)).outcome == "shared"
    shared = await reload(ledger, late)
    assert (shared.status, shared.artefact) == (Status.COMPLETED, done.artefact)


async def test_who_takes_an_artefact_can_be_taken_from_in_turn(ledger, attempt_of, connection):
    leader, late, later = await attempt_of("anna"), await attempt_of("bob"), await attempt_of("cleo")
    await ledger.builds.join(KEY, leader)
    done = await ledger.attempts.complete(leader, artefact(), provenance=FACTS)
    await ledger.builds.join(KEY, late, take=done.artefact.key)
    await connection.execute("update jobs set artefact_expired = true where id = $1", leader.job.id)
    assert (await ledger.builds.join(KEY, later)).outcome == "exists"


async def test_two_builds_that_publish_one_object_keep_their_names(ledger, attempt_of):
    for key, name in ((KEY, "one.bin"), (OTHER, "two.bin")):
        leader = await attempt_of(name)
        await ledger.builds.join(key, leader)
        await ledger.attempts.complete(leader, artefact(key="downloads/70000.zip", file_name=name))
    for key, name in ((KEY, "one.bin"), (OTHER, "two.bin")):
        offered = await ledger.builds.join(key, await attempt_of(f"late for {name}"))
        assert (offered.outcome, offered.artefact.file_name) == ("exists", name)


async def test_an_artefact_that_the_store_lost_is_built_anew(ledger, attempt_of):
    leader, late, later = await attempt_of("anna"), await attempt_of("bob"), await attempt_of("cleo")
    await ledger.builds.join(KEY, leader)
    done = await ledger.attempts.complete(leader, artefact())
    assert (await ledger.builds.join(KEY, late, refuse=done.artefact.key)).outcome == "leading"
    assert (await ledger.builds.join(KEY, later)).outcome == "following"


async def test_an_artefact_that_expired_is_built_anew(ledger, attempt_of, at):
    leader = await attempt_of("anna")
    await ledger.builds.join(KEY, leader)
    await ledger.attempts.complete(leader, artefact())
    await at(hours=25)
    assert (await ledger.builds.join(KEY, await attempt_of("bob"))).outcome == "leading"


async def test_an_attempt_that_lost_its_job_joins_nothing(ledger, attempt_of):
    leader = await attempt_of("anna")
    await ledger.attempts.cancel(leader.job.id, user_id="anna")
    assert (await ledger.builds.join(KEY, leader)).outcome == "lost"


async def test_parts_of_an_attempt_that_does_not_lead_are_refused(ledger, attempt_of):
    leader, other = await attempt_of("anna"), await attempt_of("bob")
    await ledger.builds.join(KEY, leader)
    assert not await ledger.builds.record(KEY, other, [part(1)])
    assert not await ledger.builds.keep_upload(KEY, other, UPLOAD)
    assert await ledger.builds.record(KEY, leader, [part(1)])
    assert [kept.number for kept in await ledger.builds.parts(KEY)] == [1]


async def test_only_parts_without_a_gap_count(ledger, attempt_of):
    leader = await attempt_of("anna")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.record(KEY, leader, [part(1), part(3)])
    assert [kept.number for kept in await ledger.builds.parts(KEY)] == [1]
    await ledger.builds.restart(KEY, leader)
    assert await ledger.builds.parts(KEY) == []


async def test_the_next_attempt_of_the_same_job_goes_on(ledger, attempt_of):
    leader = await attempt_of("anna")
    await ledger.builds.join(KEY, leader)
    await ledger.builds.keep_upload(KEY, leader, UPLOAD)
    await ledger.builds.record(KEY, leader, [part(1)])
    again = await claimed(ledger, await ledger.attempts.hand_back(leader))
    joined = await ledger.builds.join(KEY, again)
    assert (joined.outcome, joined.upload) == ("leading", UPLOAD)
    assert not await ledger.builds.record(KEY, leader, [part(2)])  # the old attempt writes no more


async def test_a_beat_writes_what_became_of_each_file(ledger, attempt_of, connection):
    attempt = await attempt_of("anna")
    files = FileStates("im", {1: FAILURE})
    await ledger.attempts.beat([Beat(attempt, Progress("x", 1, 2, 50), files)], lease=LEASE)
    row = await connection.fetchrow("select files, file_errors->'1'->>'code' as code from jobs")
    assert tuple(row) == ("im", "source_unavailable")
