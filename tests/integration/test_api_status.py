"""Status, result, file and cancel against real servers."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from haulier.api.estimating import Outlook
from haulier.clock import wire_time
from haulier.job import Failure, Progress
from haulier.ledger import Beat
from haulier.limits import FREE
from haulier.storage import Link
from tests.builders import submission
from tests.integration.api_steps import CONTENT, completed, failed, processing
from tests.integration.ledger_steps import LEASE

STATUS, RESULT, FILE, CANCEL, RETRY = (
    f"/v1/download/{call}/" for call in ("status", "result", "file", "cancel", "retry")
)
CALLS = [("GET", STATUS), ("GET", RESULT), ("GET", FILE), ("DELETE", CANCEL), ("POST", RETRY)]


async def test_a_queued_job_tells_its_position(api):
    await api.initiate(70_000, user="bert")
    answer = await api.status(await api.initiate(70_001))
    assert answer.json()["queue_position"] == 2
    assert 1 <= int(answer.headers["retry-after"]) <= 10


async def test_how_long_to_pause_follows_the_job(api, services, monkeypatch):
    # In docs/api.md: until its expected end, at most 10 s.
    job_id = await api.initiate()
    await processing(services, job_id)
    for left_s, retry_after in ((6, "6"), (300, "10")):

        async def outlook(_job, left_s=left_s):
            return Outlook(completion=services.clock.now() + timedelta(seconds=left_s))

        monkeypatch.setattr(services.estimator, "outlook", outlook)
        services.statuses._kept.clear()
        assert (await api.status(job_id)).headers["retry-after"] == retry_after


async def test_a_queued_job_tells_what_it_waits_for(api, services):
    await services.ledger.workers.announce("w", slots=5)
    await services.estimator.refresh()
    assert FREE.running == 3
    jobs = [await api.initiate(70_000 + n, user="bert") for n in range(4)]
    reasons = [(await api.status(job_id, user="bert")).json()["waiting_for"] for job_id in jobs]
    assert reasons == ["slots", "slots", "slots", "running_cap"]


async def test_a_queued_job_without_workers_waits_for_us(api, services):
    job_id = await api.initiate()
    await services.estimator.refresh()
    assert (await api.status(job_id)).json()["waiting_for"] == "dependency"


async def test_a_processing_job_tells_its_progress(api, services):
    job_id = await api.initiate()
    attempt = await processing(services, job_id)
    progress = Progress("packing", 5, 10, 50)
    for job in (await services.ledger.attempts.beat([Beat(attempt, progress)], lease=LEASE)).values():
        services.snapshots.announce(job)
    body = (await api.status(job_id)).json()
    assert (body["status"], body["progress"], body["attempt"]) == ("processing", 50, 1)
    assert body["progress_detail"] == {"stage": "packing", "done_bytes": 5, "total_bytes": 10}
    assert "queue_position" not in body
    assert body["started_at"]


async def test_a_completed_job_tells_where_its_file_is(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    answer = await api.status(job_id)
    body = answer.json()
    assert (body["status"], body["progress"], body["file_size"], body["file_name"]) == (
        "completed",
        100,
        5,
        "70000.zip",
    )
    assert body["file_url"].endswith(f"/v1/download/file/{job_id}")
    assert body["expires_at"] > body["completed_at"]
    assert "retry-after" not in answer.headers
    assert (await api.http.get(body["download_url"])).content == CONTENT


async def test_a_failed_job_tells_why(api, services):
    job_id = await api.initiate()
    await failed(services, job_id)
    body = (await api.status(job_id)).json()
    assert body["error"] == {"code": "source_missing", "message": "There is no such source."}
    assert "download_url" not in body


async def test_an_unchanged_job_is_answered_with_304(api, services):
    job_id = await api.initiate()
    etag = (await api.status(job_id)).headers["etag"]
    assert re.fullmatch(r'W/"1-[0-9a-f]{16}"', etag)
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*", " * "):
        answer = await api.status(job_id, headers={"If-None-Match": known})
        assert (answer.status_code, answer.headers["etag"]) == (304, etag)
    for unknown in ('"*"', "foo*", '"a", x*y', '"a", *', "", etag.strip('W/"')):
        assert (await api.status(job_id, headers={"If-None-Match": unknown})).status_code == 200
    await completed(services, job_id)
    assert (await api.status(job_id, headers={"If-None-Match": etag})).status_code == 200


async def test_a_long_poll_is_answered_when_the_job_changes(api, services):
    job_id = await api.initiate()
    polling = asyncio.create_task(api.status(job_id, params={"wait": 30}))
    await asyncio.sleep(0.2)
    assert not polling.done()
    await completed(services, job_id)
    answer = await asyncio.wait_for(polling, 5)
    assert answer.json()["status"] in ("processing", "completed")


async def test_a_long_poll_of_one_who_knows_an_older_version_is_answered_at_once(api, services):
    job_id = await api.initiate()
    etag = (await api.status(job_id)).headers["etag"]
    await processing(services, job_id)
    polling = api.status(job_id, params={"wait": 30}, headers={"If-None-Match": etag})
    assert (await asyncio.wait_for(polling, 5)).json()["status"] == "processing"


async def test_a_long_poll_ends_with_its_time(api):
    job_id = await api.initiate()
    answer = await asyncio.wait_for(api.status(job_id, headers={"Prefer": "wait=1"}), 5)
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=1")


async def test_a_long_poll_of_a_job_that_is_over_is_answered_at_once(api, services):
    job_id = await api.initiate()
    await failed(services, job_id)
    assert (await asyncio.wait_for(api.status(job_id, params={"wait": 30}), 5)).json()["status"] == "failed"


async def test_a_long_poll_ends_when_the_process_stops(api, services):
    job_id = await api.initiate()
    polling = asyncio.create_task(api.status(job_id, params={"wait": 30}))
    await asyncio.sleep(0.1)
    services.closing.set()
    assert (await asyncio.wait_for(polling, 5)).status_code == 200


@pytest.mark.parametrize("wait", ["61", "-1", "x", "1.5", "", "1&wait=2", "%00"])
async def test_a_wrong_wait_is_refused(api, wait):
    answer = await api.get(f"{STATUS}{uuid4()}?wait={wait}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "wait")


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_someone_elses_job_looks_as_if_it_did_not_exist(api, method, path):
    job_id = await api.initiate()
    headers = {"X-Request-ID": "same"}
    theirs = await api.call(method, path + job_id, user="bert", headers=headers)
    none = await api.call(method, path + str(uuid4()), user="bert", headers=headers)
    assert theirs.status_code == none.status_code == 404
    drop = re.compile(rb'"instance":"[^"]*"')
    assert drop.sub(b"", theirs.content) == drop.sub(b"", none.content)
    assert set(theirs.headers.items()) - set(none.headers.items()) <= {
        ("content-length", theirs.headers["content-length"])
    }


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "job_id", ["1", "x" * 300, "%00", "{}", "..%2f", "00000000-0000-0000-0000-00000000000g", "%ff"]
)
async def test_what_is_not_a_uuid_is_no_job(api, method, path, job_id):
    answer = await api.call(method, path + job_id)
    assert answer.status_code == 404


async def test_an_admin_reads_all_jobs(api):
    job_id = await api.initiate()
    assert (await api.status(job_id, user="root", role="admin")).json()["job_id"] == job_id


async def test_a_result_leads_to_the_file(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    body = (await api.get(RESULT + job_id)).json()
    assert (body["file_size"], body["file_name"], body["content_type"]) == (5, "70000.zip", "application/zip")
    assert body["expires_at"] <= body["available_until"]
    assert (await api.http.get(body["download_url"])).content == CONTENT


async def test_status_and_result_say_when_a_link_ends(api, services, monkeypatch):
    job_id = await api.initiate()
    await completed(services, job_id)
    end = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)  # earlier than asked for, as with the credentials of a role

    async def sign(artefact, *, job_id, expires_s):
        return Link("https://store.example/x", end)

    monkeypatch.setattr(services.storage, "sign", sign)
    assert (await api.get(RESULT + job_id)).json()["expires_at"] == wire_time(end)
    assert (await api.status(job_id)).json()["download_url_expires_at"] == wire_time(end)


@pytest.mark.parametrize("path", [RESULT, FILE])
async def test_there_is_no_file_before_the_end(api, services, path):
    job_id = await api.initiate()
    answer = await api.get(path + job_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_ready")
    await failed(services, job_id)
    answer = await api.get(path + job_id)
    assert (answer.status_code, "failed" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("path", [RESULT, FILE])
async def test_a_file_past_its_time_is_gone(api, services, connection, path):
    job_id = await api.initiate()
    await connection.execute("update jobs set keep_for = interval '-1 second'")
    await completed(services, job_id)
    answer = await api.get(path + job_id)
    assert (answer.status_code, answer.json()["code"]) == (410, "artefact_expired")
    assert "download_url" not in (await api.status(job_id)).json()


@pytest.mark.parametrize("path", [STATUS, RESULT, FILE])
async def test_a_job_past_its_retention_is_not_known_any_more(api, ledger, at, path):
    job = (await ledger.submissions.submit(submission())).job
    await ledger.attempts.cancel(job.id, user_id="anna")
    await at(days=31)
    await ledger.retention.forget(jobs_after=timedelta(days=30), events_after=timedelta(days=90))
    answer = await api.get(path + str(job.id))
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_file_redirects_to_a_fresh_link(api, services, method):
    job_id = await api.initiate()
    await completed(services, job_id)
    answer = await api.call(method, FILE + job_id)
    assert answer.status_code == 307
    assert (await api.http.get(answer.headers["location"])).content == CONTENT


async def test_a_forged_link_and_an_impossible_range_are_refused(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    link = (await api.get(FILE + job_id)).headers["location"]
    forged: httpx.Response = await api.http.get(link[:-3] + "abc")
    assert (forged.status_code, forged.json()["code"]) == (403, "bad_signature")
    beyond = await api.http.get(link, headers={"Range": "bytes=99-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */5")
    assert (await api.http.post(link)).headers["allow"] == "GET, HEAD"


async def test_a_cancel_sticks(api, services):
    job_id = await api.initiate()
    for _ in range(2):
        answer = await api.call("DELETE", CANCEL + job_id)
        assert (answer.status_code, answer.json()) == (200, {"job_id": job_id, "status": "cancelled"})
    assert (await api.status(job_id)).json()["status"] == "cancelled"


async def test_an_admin_cancels_any_job(api):
    job_id = await api.initiate()
    assert (await api.call("DELETE", CANCEL + job_id, user="root", role="admin")).status_code == 200


async def test_a_finished_job_cannot_be_cancelled(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    answer = await api.call("DELETE", CANCEL + job_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_finished")


async def test_after_a_refused_cancel_nobody_sees_the_job_as_it_was_before(api, services):
    job_id = await api.initiate()
    attempt = await processing(services, job_id)
    assert (await api.status(job_id)).json()["status"] == "processing"
    # Its announcement is lost, or late.
    await services.ledger.attempts.fail(attempt, Failure("source_missing", "There is no such source."))
    assert (await api.call("DELETE", CANCEL + job_id)).status_code == 409
    assert (await api.status(job_id)).json()["status"] == "failed"
