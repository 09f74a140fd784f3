"""POST initiate and retry against real servers: what they answer, refuse, join and count."""

import asyncio
import re

import pytest

from haulier.job import Handed
from tests.clocks import minutes_to_one_o_clock
from tests.integration.api_steps import completed, failed

INITIATE = "/v1/download/initiate"


async def test_a_request_becomes_a_queued_job(api):
    answer = await api.post(INITIATE, {"file_id": 70_000})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["status"], body["progress"], body["file_id"], body["version"]) == ("queued", 0, 70_000, 1)
    assert body["estimated_completion"] is None
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", body["job_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["created_at"])


async def test_several_files_become_one_job(api):
    body = (await api.post(INITIATE, {"file_ids": [70_001, 70_000]})).json()
    assert (body["file_id"], body["file_ids"]) == (None, [70_001, 70_000])


async def test_respond_async_is_answered_with_202_and_a_location(api):
    answer = await api.post(INITIATE, {"file_id": 70_000}, headers={"Prefer": "wait=5, respond-async"})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/download/status/{answer.json()['job_id']}"
    assert answer.headers["preference-applied"] == "respond-async"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"file_id": 9_999}, "/file_id"),
        ({"file_id": 100_000_001}, "/file_id"),
        ({"file_id": True}, "/file_id"),
        ({"file_id": 70_000.0}, "/file_id"),
        ({"file_id": "70000"}, "/file_id"),
        ({"file_id": None}, "/file_id"),
        ({"file_id": [70_000]}, "/file_id"),
        ({"file_id": -(10**30)}, "/file_id"),
        ({"file_ids": []}, "/file_ids"),
        ({"file_ids": [70_000, "a"]}, "/file_ids/1"),
        ({"file_ids": [70_000, 70_000]}, "/file_ids"),
        ({"file_ids": list(range(70_000, 71_001))}, "/file_ids"),
        ({"file_id": 70_000, "file_ids": [70_001]}, ""),
        ({}, ""),
        ({"file_id": 70_000, "extra": 1}, ""),
        ([], ""),
        ("70000", ""),
    ],
)
async def test_a_wrong_request_is_told_where(api, body, pointer):
    answer = await api.post(INITIATE, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"file_id": 70000} x',
        b'{"file_id": NaN}',
        b'{"file_id": 1e999, "file_id": 70000}',
        b'{"file_id": 70000, "file_id": 70001}',
        b'{"file_id": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"\\ud800": 1}',
        b'{"file_id": 70000, "notify": ["\\uDFFF"]}',
        b'{"file_id": 1' + b"0" * 5_000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)
async def test_malformed_json_is_refused(api, content):
    answer = await api.call("POST", INITIATE, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_64_kib_is_refused(api, declared):
    async def chunks():
        for _ in range(70):
            yield b" " * 1_024

    content = b" " * 65_537 if declared else chunks()
    answer = await api.call("POST", INITIATE, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_other_media_types_are_refused(api, headers):
    answer = await api.call("POST", INITIATE, content=b'{"file_id": 70000}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("key", ["", "a" * 201, "with space", "\x7f", "schlüssel".encode("latin-1")])
async def test_an_idempotency_key_is_1_to_200_visible_ascii_characters(api, key):
    answer = await api.post(INITIATE, {"file_id": 70_000}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "Idempotency-Key")


async def test_the_same_key_and_body_get_the_same_job(api):
    headers = {"Idempotency-Key": "k1"}
    first = await api.initiate(70_000, headers=headers)
    assert await api.initiate(70_000, headers=headers) == first
    assert await api.initiate(70_000, headers=headers, user="bert") != first


async def test_the_same_key_with_another_body_is_refused(api):
    await api.initiate(70_000, headers={"Idempotency-Key": "k1"})
    answer = await api.post(INITIATE, {"file_id": 70_001}, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_without_a_key_the_same_file_is_the_same_job_while_it_lives(api, services):
    first = await api.initiate()
    assert await api.initiate() == first
    await failed(services, first)
    assert await api.initiate() != first


@pytest.mark.parametrize(
    ("prefer", "status", "applied"),
    [
        ("join", 200, "join"),
        ("respond-async, JOIN", 202, "respond-async, join"),
        ("join; respond-async", 202, "respond-async, join"),
    ],
)
async def test_a_new_key_joins_the_living_job_when_that_is_preferred(api, prefer, status, applied):
    first = await api.initiate()
    headers = {"Idempotency-Key": "k1", "Prefer": prefer}
    answer = await api.post(INITIATE, {"file_id": 70_000}, headers=headers)
    assert (answer.status_code, answer.json()["job_id"]) == (status, first)
    assert answer.headers["preference-applied"] == applied
    assert (await api.post(INITIATE, {"file_id": 70_000}, user="bert", headers=headers)).json()["job_id"] != first


@pytest.mark.parametrize("prefer", ["", "joint", "join=1", "respond-later"])
async def test_a_new_key_makes_a_job_of_its_own_otherwise(api, prefer):
    first = await api.initiate()
    answer = await api.post(INITIATE, {"file_id": 70_000}, headers={"Idempotency-Key": "k", "Prefer": prefer})
    assert answer.json()["job_id"] != first
    assert "preference-applied" not in answer.headers


async def test_a_retry_is_another_request_than_what_it_retries(api, services):
    headers = {"Idempotency-Key": "k"}
    first = await api.initiate(headers=headers)
    await failed(services, first)
    answer = await api.post(f"/v1/download/retry/{first}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    again = await api.post(f"/v1/download/retry/{first}", headers={"Idempotency-Key": "r", "Prefer": "join"})
    assert await api.initiate() == again.json()["job_id"]


async def test_two_idempotency_keys_are_none(api):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Authorization", f"Bearer {api.token('anna')}")]
    answer = await api.http.post(INITIATE, json={"file_id": 70_000}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "Idempotency-Key")


async def test_concurrent_requests_make_one_job(api):
    jobs = await asyncio.gather(*(api.initiate(role="admin") for _ in range(8)))
    assert len(set(jobs)) == 1


async def test_a_minute_allows_as_many_requests_as_the_role_says(api):
    for number in range(10):
        answer = await api.post(INITIATE, {"file_id": 70_000 + number})
        assert answer.headers["ratelimit-remaining"] == str(9 - number)
    refused = await api.post(INITIATE, {"file_id": 70_100})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"minute";q=10;w=60, "day";q=50;w=86400'
    assert refused.headers["ratelimit"].startswith('"minute";r=0;t=')
    assert (await api.post(INITIATE, {"file_id": 70_100}, user="bert")).status_code == 200


async def test_a_day_allows_as_many_jobs_as_the_role_says(api, at):
    morning = minutes_to_one_o_clock()  # the quota's day is the UTC day: the test must not run across midnight
    for number in range(50):
        await at(minutes=morning + 2 * (number // 10))
        await api.initiate(70_000 + number)
    await at(minutes=morning + 12)
    refused = await api.post(INITIATE, {"file_id": 71_000})
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400


async def test_a_role_without_limits_is_told_of_none(api):
    answer = await api.post(INITIATE, {"file_id": 70_000}, role="admin")
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


async def test_a_job_with_room_in_the_engine_is_handed_over_at_once(api, services, monkeypatch):
    taken: list[Handed] = []
    monkeypatch.setattr(services.handovers, "hand_over", taken.append)
    await services.ledger.workers.announce("w1", slots=1)
    job_id = await api.initiate()
    assert [str(handed.job_id) for handed in taken] == [job_id]


async def test_a_job_is_accepted_although_the_catalogue_fails(api, services, monkeypatch):
    from haulier.catalogue import RuleCatalogue
    from haulier.errors import BadRecipe

    def broken(*_):
        raise BadRecipe(reason="plug-in")

    monkeypatch.setattr(RuleCatalogue, "recipe", broken)
    assert (await api.post(INITIATE, {"file_id": 70_000})).json()["status"] == "queued"


async def test_a_failed_job_can_be_retried(api, services):
    first = await api.initiate()
    await failed(services, first)
    answer = await api.post(f"/v1/download/retry/{first}")
    assert answer.status_code == 200
    assert (answer.json()["retry_of"], answer.json()["file_id"]) == (first, 70_000)
    again = await api.post(f"/v1/download/retry/{first}", headers={"Prefer": "respond-async"})
    assert (again.status_code, again.json()["job_id"]) == (202, answer.json()["job_id"])


async def test_a_job_that_did_not_fail_cannot_be_retried(api, services):
    job_id = await api.initiate()
    assert (await api.post(f"/v1/download/retry/{job_id}")).json()["code"] == "job_not_retryable"
    await completed(services, job_id)
    answer = await api.post(f"/v1/download/retry/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_retryable")
