"""The client's calls about dead letters: what they send, and what is sent again."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from haulier.client import ApiError, Client, Patience, Unreachable
from tests.loopback import JOB, Loopback, Reply, answer, loopback, problem

LETTERS = "/v1/admin/dead-letters"
BROKEN = Reply(200, b"{", {"Content-Length": "99"})
LETTER = {
    "job_id": JOB,
    "user": "anna",
    "role": "free",
    "file_id": 70_000,
    "preparer": "object",
    "error": {"code": "worker_lost", "message": "It stopped."},
    "attempts_used": 3,
    "max_attempts": 3,
    "created_at": "2026-11-23T10:00:00.000Z",
    "failed_at": "2026-11-23T10:00:05.000Z",
}
DONE = {"matched": 1, "retried": 1, "more": False, "jobs": [{"job_id": JOB, "outcome": "created", "retry_job_id": JOB}]}


@pytest.fixture
async def server() -> AsyncGenerator[Loopback]:
    async with loopback() as running:
        yield running


def client_of(server: Loopback) -> Client:
    async def no_time(_: float) -> None: ...

    return Client(server.url, token="t", sleep=no_time, patience=Patience(tries=3))


def sent(server: Loopback) -> Any:
    return msgspec.json.decode(server.seen[-1].body)


async def test_a_page_is_asked_for_by_what_is_given_only(server: Loopback) -> None:
    server.on("GET", LETTERS, answer({"dead_letters": [LETTER], "limit": 5, "next_cursor": "c"}))
    async with client_of(server) as client:
        page = await client.dead_letters.page(code="worker_lost", retried=False, limit=5, cursor="b")
    assert (page.dead_letters[0].error.code, page.next_cursor) == ("worker_lost", "c")
    assert server.seen[0].query == {"code": "worker_lost", "retried": "false", "limit": "5", "cursor": "b"}


async def test_one_letter_comes_with_its_attempts(server: Loopback) -> None:
    attempt = {"number": 1, "worker": "w1", "started_at": "2026-11-23T10:00:01.000Z"}
    server.on("GET", f"{LETTERS}/{JOB}", answer(LETTER | {"attempts": [attempt]}))
    async with client_of(server) as client:
        assert (await client.dead_letters.get(JOB)).attempts[0].worker == "w1"
        with pytest.raises(ValueError, match="is no id"):
            await client.dead_letters.get("../retry")


async def test_retrying_named_letters_is_sent_again_when_the_answer_is_lost(server: Loopback) -> None:
    server.on("POST", f"{LETTERS}/retry", BROKEN, answer(DONE))
    async with client_of(server) as client:
        assert (await client.dead_letters.retry([JOB])).jobs[0].outcome == "created"
    assert sent(server) == {"job_ids": [JOB], "dry_run": False}


async def test_retrying_by_filter_is_not_sent_again(server: Loopback) -> None:
    server.on("POST", f"{LETTERS}/retry", BROKEN, answer(DONE))
    async with client_of(server) as client:
        with pytest.raises(Unreachable):
            await client.dead_letters.retry_matching(code="worker_lost", limit=10)
    assert sent(server) == {"code": "worker_lost", "all": False, "limit": 10, "dry_run": False}
    assert len(server.seen) == 1


async def test_who_is_no_admin_is_told_so(server: Loopback) -> None:
    server.on("GET", LETTERS, problem(403, "forbidden"))
    async with client_of(server) as client:
        with pytest.raises(ApiError) as caught:
            await client.dead_letters.page()
    assert caught.value.code == "forbidden"
