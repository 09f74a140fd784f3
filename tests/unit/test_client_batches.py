"""The client's calls about batches."""

from collections.abc import AsyncGenerator
from uuid import UUID

import msgspec
import pytest

from haulier.client import ApiError, Client, Patience
from tests.loopback import JOB, Loopback, Reply, answer, completed, problem

BATCH = "0190a6c0-0000-7000-8000-0000000000ba"
PATH = f"/v1/download/batch/{BATCH}"
COUNTS = {"queued": 0, "processing": 0, "completed": 2, "failed": 0, "cancelled": 0, "forgotten": 0}
STATUS = {"batch_id": BATCH, "created_at": "2026-11-23T10:00:00.000Z", "total": 2, "over": True, "counts": COUNTS}


@pytest.fixture
async def client(server: Loopback) -> AsyncGenerator[Client]:
    async with Client(server.url, token="t", patience=Patience(tries=1)) as client:
        yield client


async def test_a_batch_is_asked_for_with_its_key(server: Loopback, client: Client) -> None:
    job = {"file_id": 70_000, "job_id": JOB, "status": "queued", "joined": False}
    accepted = {"batch_id": BATCH, "mode": "jobs", "total": 1, "joined": 0, "jobs": [job]}
    server.on("POST", "/v1/download/initiate", answer(accepted))
    got = await client.batches.initiate([70_000], idempotency_key="k")
    assert (got.batch_id, got.jobs[0].job_id) == (BATCH, JOB)
    assert msgspec.json.decode(server.seen[0].body) == {"file_ids": [70_000], "mode": "jobs"}
    assert server.seen[0].headers["idempotency-key"] == "k"


async def test_a_batch_that_has_to_be_sent_twice_keeps_its_key(server: Loopback) -> None:
    accepted = {"batch_id": BATCH, "mode": "jobs", "total": 0, "joined": 0, "jobs": []}
    server.on("POST", "/v1/download/initiate", Reply(502), answer(accepted))
    async with Client(server.url, token="t", patience=Patience(tries=2, first_s=0.001)) as client:
        await client.batches.initiate([70_000])
        await client.batches.initiate([70_000])
    keys = [seen.headers["idempotency-key"] for seen in server.seen]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(("files", "query"), [(True, {}), (False, {"files": "false"})])
async def test_a_batch_is_looked_at_with_or_without_its_files(
    server: Loopback, client: Client, files: bool, query: dict[str, str]
) -> None:
    server.on("GET", PATH, answer(STATUS))
    assert (await client.batches.get(BATCH, files=files)).over
    assert server.seen[0].query == query


async def test_a_batch_is_cancelled(server: Loopback, client: Client) -> None:
    server.on("DELETE", PATH, answer({"batch_id": BATCH, "cancelled": 2, "left": 0}), problem(404, "batch_not_found"))
    assert (await client.batches.cancel(BATCH)).cancelled == 2
    with pytest.raises(ApiError) as caught:
        await client.batches.cancel(BATCH)
    assert caught.value.code == "batch_not_found"


async def test_what_is_no_id_never_becomes_a_path(client: Client) -> None:
    with pytest.raises(ValueError, match="is no id"):
        await client.batches.get("../jobs")


async def test_jobs_of_a_batch_are_listed(server: Loopback, client: Client) -> None:
    server.on(
        "GET",
        "/v1/download/jobs",
        answer({"jobs": [completed()], "total": 1, "page": 1, "limit": 20, "next_cursor": None}),
    )
    assert (await client.jobs(batch=BATCH)).total == 1
    assert UUID(server.seen[0].query["batch"]) == UUID(BATCH)


async def test_an_archive_is_followed_without_its_files(server: Loopback, client: Client) -> None:
    server.on("GET", f"/v1/download/status/{JOB}", answer(completed()))
    assert [job.status async for job in client.follow(JOB, files=False)] == ["completed"]
    assert server.seen[0].query == {"files": "false"}
