"""Retrying dead letters against real servers: which ones, how often, and at whose expense."""

import asyncio
from uuid import UUID

import pytest

from haulier.api import retrying
from haulier.errors import LedgerUnavailable
from haulier.job import Handed, Status
from tests.integration.api_steps import completed, failed
from tests.integration.test_api_dead_letters import LETTERS, NOBODYS, dead

RETRY = f"{LETTERS}/retry"


async def retried(api, **body) -> dict:
    answer = await api.post(RETRY, body, role="admin", user="operator")
    assert answer.status_code == 200, answer.text
    return answer.json()


def outcomes(answer: dict) -> dict[str, str]:
    return {job["job_id"]: job["outcome"] for job in answer["jobs"]}


async def test_a_letter_becomes_a_new_job_of_its_own_user(api, services):
    letter = await dead(api, services, user="bert", role="premium")
    answer = await retried(api, job_ids=[letter])
    (job,) = answer.pop("jobs")
    assert answer == {"matched": 1, "retried": 1, "more": False}
    fresh = await services.ledger.jobs.get(UUID(job["retry_job_id"]))
    assert (job["job_id"], job["outcome"]) == (letter, "created")
    assert (fresh.user_id, fresh.role, fresh.status) == ("bert", "premium", Status.QUEUED)
    assert (str(fresh.retry_of), fresh.request.file_id) == (letter, 70_000)


async def test_retrying_twice_joins(api, services):
    letter = await dead(api, services)
    first, second = await retried(api, job_ids=[letter]), await retried(api, job_ids=[letter])
    assert (second["matched"], second["retried"]) == (1, 0)
    assert outcomes(second) == {letter: "joined"}
    assert second["jobs"][0]["retry_job_id"] == first["jobs"][0]["retry_job_id"]


async def test_retrying_at_the_same_time_makes_one_job(api, services):
    letter = await dead(api, services)
    answers = await asyncio.gather(*(retried(api, job_ids=[letter]) for _ in range(5)))
    assert sum(answer["retried"] for answer in answers) == 1
    assert len({answer["jobs"][0]["retry_job_id"] for answer in answers}) == 1


async def test_a_completed_retry_is_not_repeated_even_days_later(api, services, at):
    letter = await dead(api, services)
    retry = (await retried(api, job_ids=[letter]))["jobs"][0]["retry_job_id"]
    await completed(services, retry)
    await at(days=3)
    assert (await retried(api, job_ids=[letter]))["jobs"][0] == {
        "job_id": letter,
        "outcome": "joined",
        "retry_job_id": retry,
    }
    assert (await retried(api, all=True))["matched"] == 0


async def test_of_a_chain_of_failures_only_the_last_is_retried(api, services):
    first = await dead(api, services)
    second = (await retried(api, all=True))["jobs"][0]["retry_job_id"]
    await failed(services, second)
    answer = await retried(api, all=True)
    assert outcomes(answer) == {second: "created"}
    third = await services.ledger.jobs.get(UUID(answer["jobs"][0]["retry_job_id"]))
    assert str(third.retry_of) == second
    await failed(services, str(third.id))
    fourth = (await retried(api, job_ids=[first]))["jobs"][0]
    assert (await services.ledger.jobs.get(UUID(fourth["retry_job_id"]))).retry_of == third.id


async def test_a_failure_that_a_later_retry_replaced_is_left_alone(api, services):
    first = await dead(api, services)
    second = (await api.post(f"/v1/download/retry/{first}")).json()["job_id"]
    await failed(services, second)
    third = (await api.post(f"/v1/download/retry/{first}")).json()["job_id"]
    assert (await retried(api, all=True))["matched"] == 0
    assert [job["retry_job_id"] for job in (await retried(api, job_ids=[first, second]))["jobs"]] == [third, third]


async def test_a_cancelled_retry_may_be_retried_by_name(api, services):
    letter = await dead(api, services)
    retry = (await retried(api, job_ids=[letter]))["jobs"][0]["retry_job_id"]
    await api.call("DELETE", f"/v1/download/cancel/{retry}")
    assert (await retried(api, all=True))["matched"] == 0
    assert outcomes(await retried(api, job_ids=[letter])) == {letter: "created"}


async def test_filters_pick_what_they_say(api, services):
    lost = await dead(api, services, 70_000, code="worker_lost")
    await dead(api, services, 70_001)
    of_bert = await dead(api, services, 70_002, code="worker_lost", user="bert")
    assert outcomes(await retried(api, code="worker_lost", user="bert")) == {of_bert: "created"}
    assert outcomes(await retried(api, code="worker_lost", since="2000-01-01T00:00:00Z")) == {lost: "created"}
    assert outcomes(await retried(api, until="2000-01-01T00:00:00Z")) == {}
    assert outcomes(await retried(api, preparer="archive")) == {}


async def test_a_dry_run_changes_nothing(api, services, connection):
    letter = await dead(api, services)
    before = await connection.fetchval("select count(*) from jobs")
    for _ in range(2):
        answer = await retried(api, all=True, dry_run=True)
        assert (answer["matched"], answer["retried"], outcomes(answer)) == (1, 0, {letter: "would_retry"})
    assert await connection.fetchval("select count(*) from jobs") == before


async def test_neither_rate_nor_quota_of_the_user_is_touched(api, services, connection, monkeypatch):
    monkeypatch.setattr(type(services.settings), "limits", limits_of_one(type(services.settings).limits))
    letter = await dead(api, services)
    used = await connection.fetch("select * from usage order by period")
    (job,) = (await retried(api, job_ids=[letter]))["jobs"]
    assert job["outcome"] == "created"
    assert await connection.fetch("select * from usage order by period") == used
    await api.call("DELETE", f"/v1/download/cancel/{job['retry_job_id']}")
    assert await connection.fetch("select * from usage order by period") == used


def limits_of_one(limits):
    from msgspec.structs import replace

    return lambda settings, role: replace(limits(settings, role), rate_per_minute=1, quota_per_day=1)


async def test_the_user_s_role_of_today_counts(api, services):
    letter = await dead(api, services)
    await api.initiate(71_000, role="premium")
    (job,) = (await retried(api, job_ids=[letter]))["jobs"]
    assert (await services.ledger.jobs.get(UUID(job["retry_job_id"]))).role == "premium"


async def test_a_retry_is_handed_over_and_announced_like_any_job(api, services, monkeypatch):
    letter = await dead(api, services)
    taken: list[Handed] = []
    announced: list[object] = []
    monkeypatch.setattr(services.handovers, "hand_over", taken.append)
    monkeypatch.setattr(services.snapshots, "announce", lambda job: announced.append(job.id))
    await services.ledger.workers.announce("w1", slots=1)
    job_id = UUID((await retried(api, job_ids=[letter]))["jobs"][0]["retry_job_id"])
    assert ([handed.job_id for handed in taken], announced) == ([job_id], [job_id])


async def test_one_bad_id_does_not_stop_the_others(api, services):
    letter, alive, unknown = await dead(api, services), await api.initiate(70_001), NOBODYS
    answer = await retried(api, job_ids=[unknown, alive, letter, letter])
    assert outcomes(answer) == {unknown: "refused", alive: "refused", letter: "created"}
    assert (answer["matched"], answer["retried"], len(answer["jobs"])) == (1, 1, 3)
    assert answer["jobs"][0]["error"]["code"] == "job_not_found"


async def test_more_than_a_batch_is_retried_up_to_the_limit(api, services, monkeypatch):
    monkeypatch.setattr(retrying, "BATCH", 2)
    letters = [await dead(api, services, 70_000 + number) for number in range(5)]
    answer = await retried(api, all=True, limit=3)
    assert (list(outcomes(answer)), answer["more"]) == (letters[:1:-1], True)
    answer = await retried(api, all=True)
    assert (list(outcomes(answer)), answer["more"]) == (letters[1::-1], False)


async def test_what_is_done_is_told_when_the_ledger_goes_away(api, services, monkeypatch):
    letters = [await dead(api, services, 70_000 + number) for number in range(3)]
    submit, calls = services.ledger.submissions.submit, []

    async def breaking(submission):
        calls.append(submission)
        if len(calls) > 1:
            raise LedgerUnavailable
        return await submit(submission)

    monkeypatch.setattr(services.ledger.submissions, "submit", breaking)
    answer = await retried(api, all=True)
    assert (outcomes(answer), answer["more"]) == ({letters[2]: "created"}, True)
    refused = await api.post(RETRY, {"all": True}, role="admin")
    assert (refused.status_code, refused.json()["code"]) == (503, "ledger_unavailable")


async def test_a_closing_process_begins_nothing(api, services):
    await dead(api, services)
    services.closing.set()
    assert (await api.post(RETRY, {"all": True}, role="admin")).status_code == 503


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"dry_run": True}, ""),
        ({"all": False}, ""),
        ({"all": True, "user": "anna"}, ""),
        ({"job_ids": [NOBODYS], "code": "worker_lost"}, ""),
        ({"job_ids": []}, "/job_ids"),
        ({"job_ids": ["x"]}, "/job_ids/0"),
        ({"job_ids": [NOBODYS] * 1_001}, "/job_ids"),
        ({"user": ""}, "/user"),
        ({"user": "a\x00b"}, "/user"),
        ({"user": None}, "/user"),
        ({"code": 5}, "/code"),
        ({"since": "2h"}, "/since"),
        ({"since": 1_700_000_000}, "/since"),
        ({"until": "2026-11-23T10:00:00"}, "/until"),
        ({"all": "yes"}, "/all"),
        ({"all": True, "limit": 0}, "/limit"),
        ({"all": True, "limit": 10_001}, "/limit"),
        ({"all": True, "retried": True}, ""),
        ({"user": "anna", "dryrun": True}, ""),
    ],
)
async def test_a_wrong_request_is_told_where(api, services, body, pointer):
    await dead(api, services)
    answer = await api.post(RETRY, body, role="admin")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), answer.text
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]
    assert (await retried(api, all=True, dry_run=True))["matched"] == 1
