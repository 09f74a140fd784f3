"""Dead letters against real servers: who may see them, what they tell, and how pages and filters work."""

from datetime import timedelta
from uuid import UUID

import pytest

from haulier.clock import wire_time
from haulier.job import Failure
from tests.integration.api_steps import completed, failed, processing

LETTERS = "/v1/admin/dead-letters"
NOBODYS = "0193f2a0-0000-7000-8000-000000000000"


async def letters(api, **params) -> list[dict]:
    answer = await api.get(LETTERS, role="admin", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["dead_letters"]


async def listed(api, **params) -> list[str]:
    return [letter["job_id"] for letter in await letters(api, **params)]


async def dead(api, services, file_id: int = 70_000, *, code: str = "source_missing", **request) -> str:
    """The id of a job that failed with `code`."""
    job_id = await api.initiate(file_id, **request)
    attempt = await processing(services, job_id)
    await services.ledger.attempts.fail(attempt, Failure(code, "It did not work."))
    return job_id


@pytest.mark.parametrize("role", ["free", "premium"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", LETTERS), ("GET", f"{LETTERS}/{NOBODYS}"), ("POST", f"{LETTERS}/retry")]
)
async def test_only_an_admin_may(api, role, method, path):
    answer = await api.call(method, path, role=role)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_failed_job_tells_its_story(api, services):
    job_id = await api.initiate()
    await failed(services, job_id)
    (letter,) = await letters(api)
    times = [letter.pop(name) for name in ("created_at", "started_at", "failed_at")]
    assert times == sorted(times)
    assert letter == {
        "job_id": job_id,
        "user": "anna",
        "role": "free",
        "file_id": 70_000,
        "preparer": "object",
        "error": {"code": "source_missing", "message": "There is no such source."},
        "attempts_used": 1,
        "max_attempts": 3,
    }


async def test_jobs_that_did_not_fail_are_no_letters(api, services):
    await api.initiate(70_000)
    await processing(services, await api.initiate(70_001))
    await completed(services, await api.initiate(70_002))
    await api.call("DELETE", f"/v1/download/cancel/{await api.initiate(70_003)}")
    assert await letters(api) == []


async def test_the_latest_failure_stands_first(api, services):
    older, newer = await api.initiate(70_000), await api.initiate(70_001)
    await failed(services, newer)
    await failed(services, older)
    assert await listed(api) == [older, newer]


async def test_a_letter_keeps_its_attempts(api, services):
    job_id = await api.initiate()
    attempt = await processing(services, job_id)
    error = Failure("source_unavailable", "It was away.")
    await services.ledger.attempts.retry(attempt, error, wait=timedelta(0))
    await failed(services, job_id)
    letter = (await api.get(f"{LETTERS}/{job_id}", role="admin")).json()
    first, second = letter["attempts"]
    assert (first["number"], first["worker"], first["outcome"]) == (1, "w1", "retried")
    assert first["error"] == {"code": "source_unavailable", "message": "It was away."}
    assert 0 <= first["duration_s"] < 60
    assert first["started_at"] <= first["ended_at"] <= second["started_at"]
    assert (second["number"], second["outcome"], second["error"]["code"]) == (2, "failed", "source_missing")
    assert letter["attempts_used"] == 2


@pytest.mark.parametrize("job_id", [NOBODYS, "nonsense", "00000000"])
async def test_an_unknown_letter_is_not_found(api, job_id):
    answer = await api.get(f"{LETTERS}/{job_id}", role="admin")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


async def test_a_job_that_did_not_fail_is_not_found(api, services):
    job_id = await api.initiate()
    assert (await api.get(f"{LETTERS}/{job_id}", role="admin")).status_code == 404
    await completed(services, job_id)
    assert (await api.get(f"{LETTERS}/{job_id}", role="admin")).status_code == 404


async def test_letters_are_filtered_by_user_code_and_preparer(api, services):
    of_anna = await dead(api, services)
    of_bert = await dead(api, services, user="bert", code="worker_lost")
    assert await listed(api, user="bert") == [of_bert]
    assert await listed(api, code="source_missing") == [of_anna]
    assert await listed(api, preparer="object", code="worker_lost") == [of_bert]
    assert await listed(api, preparer="archive") == []
    assert await listed(api, user="anna", code="worker_lost") == []


async def test_letters_are_filtered_by_when_they_failed(api, services):
    job_id = await dead(api, services)
    failed_at = (await services.ledger.jobs.get(UUID(job_id))).completed_at
    at, later = failed_at.isoformat(), wire_time(failed_at + timedelta(seconds=1))
    assert await listed(api, since=at, until=later) == [job_id]
    assert await listed(api, since=at.replace("+00:00", "Z")) == [job_id]
    assert await listed(api, until=at) == []
    assert await listed(api, since=later) == []


async def test_letters_are_filtered_by_whether_they_were_retried(api, services):
    waiting, again = await dead(api, services, 70_000), await dead(api, services, 70_001)
    retry = (await api.post(f"/v1/download/retry/{again}")).json()["job_id"]
    assert await listed(api, retried="false") == [waiting]
    (letter,) = await letters(api, retried="true")
    assert (letter["job_id"], letter["retried_as"], letter["retry_status"]) == (again, retry, "queued")


async def test_of_several_retries_the_latest_took_the_place(api, services):
    first = await dead(api, services)
    second = (await api.post(f"/v1/download/retry/{first}")).json()["job_id"]
    await failed(services, second)
    third = (await api.post(f"/v1/download/retry/{first}")).json()["job_id"]
    found = {letter["job_id"]: letter for letter in await letters(api)}
    assert {job_id: letter["retried_as"] for job_id, letter in found.items()} == {first: third, second: third}
    assert found[second]["retry_of"] == first


async def test_pages_continue_where_the_last_ended(api, services):
    expected = [await dead(api, services, 70_000 + number, code="worker_lost") for number in range(5)][::-1]
    await dead(api, services, 80_000)
    seen, path = [], f"{LETTERS}?limit=2&code=worker_lost"
    while path:
        answer = await api.get(path, role="admin")
        seen.append([letter["job_id"] for letter in answer.json()["dead_letters"]])
        path = answer.links.get("next", {}).get("url")
        assert (path is None) == (answer.json()["next_cursor"] is None)
    assert seen == [expected[:2], expected[2:4], expected[4:]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "yesterday"),
        ("since", "2026-11-23"),
        ("since", "1700000000"),
        ("until", "2026-11-23T10:00:00"),
        ("until", "2026-02-30T10:00:00Z"),
        ("until", "0001-01-01T00:00:00+23:00"),
        ("retried", "maybe"),
        ("limit", "0"),
        ("limit", "101"),
        ("user", ""),
        ("user", "a\x00b"),
        ("user", "a" * 256),
        ("code", "a\nb"),
        ("cursor", ""),
        ("cursor", "not a cursor"),
        ("cursor", "AAAA"),
        ("cursor", "f" * 32),
        ("cursor", "é" * 32),
        ("cursor", "a" * 65),
    ],
)
async def test_a_wrong_parameter_is_named(api, name, value):
    answer = await api.get(LETTERS, role="admin", params={name: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [name]
