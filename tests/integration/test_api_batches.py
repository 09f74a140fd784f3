"""One job a file, and the states of an archive's files, as clients see them."""

import asyncio
from uuid import UUID

import pytest

from tests.clocks import minutes_to_one_o_clock
from tests.integration.api_steps import completed, failed

INITIATE, BATCH, JOBS = "/v1/download/initiate", "/v1/download/batch/", "/v1/download/jobs"
FILES = [70_000, 70_001, 70_002]
NOBODYS = "00000000-0000-4000-8000-000000000000"


async def started(api, files=FILES, **request):
    answer = await api.post(INITIATE, {"file_ids": list(files), "mode": "jobs"}, **request)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_file_becomes_a_job_of_its_own(api):
    accepted = await started(api)
    assert (accepted["mode"], accepted["total"], accepted["joined"]) == ("jobs", 3, 0)
    assert [job["file_id"] for job in accepted["jobs"]] == FILES
    status = (await api.status(accepted["jobs"][1]["job_id"])).json()
    assert (status["file_id"], status["batch_id"]) == (70_001, accepted["batch_id"])


async def test_one_file_alone_may_be_a_batch(api):
    assert (await started(api, [70_000]))["total"] == 1


async def test_without_a_mode_several_files_are_one_archive(api):
    answer = await api.post(INITIATE, {"file_ids": FILES})
    assert answer.json()["file_ids"] == FILES


async def test_async_is_preferred_with_the_location_of_the_batch(api):
    answer = await api.post(INITIATE, {"file_ids": FILES, "mode": "jobs"}, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert (await api.get(answer.headers["location"])).json()["batch_id"] == answer.json()["batch_id"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"file_id": 70_000, "mode": "jobs"}, "/mode"),
        ({"file_ids": FILES, "mode": "zip"}, "/mode"),
        ({"file_ids": FILES, "mode": "jobs", "allow_missing": True}, "/allow_missing"),
        ({"file_ids": [70_000, 70_000], "mode": "jobs"}, "/file_ids"),
        ({"file_ids": [], "mode": "jobs"}, "/file_ids"),
        ({"file_ids": list(range(70_000, 71_001)), "mode": "jobs"}, "/file_ids"),
        ({"mode": "jobs"}, ""),
    ],
)
async def test_a_wrong_batch_is_refused_with_the_place(api, body, pointer):
    answer = await api.post(INITIATE, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_a_thousand_files_are_admitted(api):
    accepted = await started(api, range(70_000, 71_000), role="admin")
    counts = (await api.get(f"{BATCH}{accepted['batch_id']}?files=false")).json()
    assert (counts["total"], counts["counts"]["queued"], "files" in counts) == (1_000, 1_000, False)


async def test_the_same_batch_at_once_makes_no_double_jobs(api, connection):
    accepted = await asyncio.gather(*(started(api) for _ in range(5)))
    assert await connection.fetchval("select count(*) from jobs") == 3
    assert sorted(each["joined"] for each in accepted) == [0, 3, 3, 3, 3]


async def test_a_key_covers_the_whole_request(api):
    key = {"Idempotency-Key": "once"}
    first, again = await started(api, headers=key), await started(api, headers=key)
    assert (first["batch_id"], again["joined"]) == (again["batch_id"], 3)
    answer = await api.post(INITIATE, {"file_ids": FILES}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_batch_beyond_the_quota_is_refused_as_a_whole(api, connection, at):
    await at(minutes=minutes_to_one_o_clock())  # the quota's day is the UTC day: it must not end meanwhile
    await started(api, range(70_000, 70_040))
    answer = await api.post(INITIATE, {"file_ids": list(range(80_000, 80_011)), "mode": "jobs"})
    assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
    assert "50 downloads a day: 10 are left, this needs 11" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert await connection.fetchval("select count(*) from jobs") == 40


async def test_a_batch_is_one_request_to_the_rate(api):
    answer = await api.post(INITIATE, {"file_ids": FILES, "mode": "jobs"})
    assert answer.headers["ratelimit"].startswith('"minute";r=9;')
    assert '"day";r=47;' in answer.headers["ratelimit"]


async def test_a_batch_tells_how_each_file_stands(api, services):
    accepted = await started(api)
    ids = [job["job_id"] for job in accepted["jobs"]]
    await completed(services, ids[0])
    await failed(services, ids[1])
    answer = await api.get(BATCH + accepted["batch_id"])
    body = answer.json()
    assert (body["over"], body["total"], answer.headers["retry-after"]) == (False, 3, "2")
    assert body["counts"] == {"queued": 1, "processing": 0, "completed": 1, "failed": 1, "cancelled": 0, "forgotten": 0}
    done, lost, waiting = body["files"]
    assert done["file_url"].endswith(ids[0])
    assert done["expires_at"]
    assert lost["error"]["code"] == "source_missing"
    assert waiting == {"file_id": 70_002, "job_id": ids[2], "status": "queued"}


async def test_a_batch_that_is_over_needs_no_other_look(api):
    accepted = await started(api)
    await api.call("DELETE", BATCH + accepted["batch_id"])
    answer = await api.get(BATCH + accepted["batch_id"])
    assert (answer.json()["over"], "retry-after" in answer.headers) == (True, False)


async def test_cancelling_a_batch_tells_how_much_was_stopped(api):
    single = await api.initiate(70_000)
    accepted = await started(api)
    for cancelled, left in ((2, 1), (0, 3)):
        answer = await api.call("DELETE", BATCH + accepted["batch_id"])
        assert answer.json() == {"batch_id": accepted["batch_id"], "cancelled": cancelled, "left": left}
    assert (await api.status(accepted["jobs"][2]["job_id"])).json()["status"] == "cancelled"
    assert (await api.status(single)).json()["status"] == "queued"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("batch_id", [NOBODYS, "not-a-batch"])
async def test_a_batch_that_is_not_there_is_not_found(api, method, batch_id):
    answer = await api.call(method, BATCH + batch_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_batch_of_somebody_else_is_not_found(api, method):
    accepted = await started(api)
    assert (await api.call(method, BATCH + accepted["batch_id"], user="bob")).status_code == 404
    assert (await api.call(method, BATCH + accepted["batch_id"], user="root", role="admin")).status_code == 200


async def test_jobs_can_be_listed_by_batch(api):
    await api.initiate(80_000)
    accepted = await started(api)
    page = (await api.get(f"{JOBS}?batch={accepted['batch_id']}&limit=2")).json()
    assert ([job["file_id"] for job in page["jobs"]], page["total"]) == ([70_002, 70_001], 3)
    rest = (await api.get(f"{JOBS}?batch={accepted['batch_id']}&limit=2&cursor={page['next_cursor']}")).json()
    assert [job["file_id"] for job in rest["jobs"]] == [70_000]
    assert (await api.get(f"{JOBS}?batch={accepted['batch_id']}&status=failed")).json()["total"] == 0


@pytest.mark.parametrize(("batch", "code"), [("not-a-batch", "invalid_request"), (NOBODYS, "batch_not_found")])
async def test_jobs_of_a_wrong_batch_are_refused(api, batch, code):
    assert (await api.get(f"{JOBS}?batch={batch}")).json()["code"] == code


# ---- the files of an archive


async def archive(api, **request):
    answer = await api.post(INITIATE, {"file_ids": FILES, "allow_missing": True}, **request)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_files_of_a_fresh_archive_are_pending(api):
    body = await archive(api)
    assert body["files"] == [{"file_id": file_id, "status": "pending"} for file_id in FILES]


async def test_the_status_tells_which_files_are_missing_and_why(api, services, connection):
    job_id = (await archive(api))["job_id"]
    errors = '{"1": {"code": "source_missing", "message": "There is no downloads/70001.zip."}}'
    await connection.execute(
        "update jobs set files = 'imp', file_errors = $2::jsonb where id = $1", UUID(job_id), errors
    )
    await services.snapshots.newest(UUID(job_id))
    body = (await api.status(job_id)).json()
    assert [file["status"] for file in body["files"]] == ["included", "missing", "pending"]
    assert body["files"][1]["error"]["code"] == "source_missing"


async def test_the_files_can_be_left_out(api):
    job_id = (await archive(api))["job_id"]
    full, short = await api.status(job_id), await api.get(f"/v1/download/status/{job_id}?files=false")
    assert ("files" in full.json(), "files" in short.json()) == (True, False)
    assert full.headers["etag"] != short.headers["etag"]


async def test_lists_and_single_files_have_no_states_of_files(api):
    await archive(api)
    assert "files" not in (await api.get(JOBS)).json()["jobs"][0]
    assert "files" not in (await api.status(await api.initiate(80_000))).json()


async def test_without_other_word_all_files_of_a_completed_archive_are_in(api, services):
    job_id = (await archive(api))["job_id"]
    await completed(services, job_id)
    assert {file["status"] for file in (await api.status(job_id)).json()["files"]} == {"included"}
