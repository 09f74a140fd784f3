"""What every request gets, and the calls around downloads: jobs, check, health, documents, unknown paths."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from haulier.errors import LedgerUnavailable, StorageUnavailable
from haulier.job import Request
from tests.integration.api_steps import completed, failed

NO_JOB = "01a20a69-ad5e-771b-b947-0f7ebd7b7c44"
JOBS, CHECK = "/v1/download/jobs", "/v1/download/check"
SECURED = [
    ("POST", "/v1/download/initiate"),
    ("GET", f"/v1/download/status/{NO_JOB}"),
    ("GET", f"/v1/download/result/{NO_JOB}"),
    ("GET", f"/v1/download/file/{NO_JOB}"),
    ("DELETE", f"/v1/download/cancel/{NO_JOB}"),
    ("POST", f"/v1/download/retry/{NO_JOB}"),
    ("GET", JOBS),
    ("POST", CHECK),
]


def away(error):
    async def raise_(*_, **__):
        raise error

    return raise_


@pytest.mark.parametrize(("method", "path"), SECURED)
async def test_without_a_token_nothing_is_told(api, method, path):
    answer = await api.call(method, path, user=None)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    schemes = answer.headers.get_list("www-authenticate")
    assert schemes[0] == 'Bearer realm="haulier"'
    assert schemes[1:] == (['Basic realm="haulier", charset="UTF-8"'] if "/file/" in path else [])


async def test_a_wrong_token_is_told_to_be_wrong(api):
    answer = await api.get(JOBS, user=None, headers={"Authorization": "Bearer a.b.c"})
    assert answer.headers["www-authenticate"] == 'Bearer realm="haulier", error="invalid_token"'


async def test_a_token_that_is_too_long_is_refused(api):
    answer = await api.get(JOBS, user=None, headers={"Authorization": "Bearer " + "a" * 9_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "path", ["/nix", "/v1", "/v1/download/status/", "/v1/download/jobs/", "/v1//download", "/%00", "/%ff", "/files/x"]
)
async def test_there_is_nothing_at_other_paths(api, path):
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", JOBS), ("OPTIONS", JOBS), ("GET", "/v1/download/initiate"), ("POST", "/health")]
)
async def test_other_methods_are_refused(api, method, path):
    answer = await api.call(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] in ("GET, HEAD", "POST")


@pytest.mark.parametrize(
    ("given_id", "echoed"), [("abc-1", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)]
)
async def test_a_request_id_is_echoed_or_made(api, given_id, echoed):
    answer = await api.get("/health", headers={"X-Request-ID": given_id})
    assert (answer.headers["x-request-id"] == given_id) == echoed
    assert echoed or re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])


async def test_a_request_is_one_log_line_without_its_query(api, capfd):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"X-Request-ID": "r1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    await api.get(f"{JOBS}?user=anna", headers=headers)
    lines = [line for line in capfd.readouterr().err.splitlines() if '"request_id":"r1"' in line]
    assert len(lines) == 1
    assert f'"trace_id":"{trace}"' in lines[0]
    assert '"route":"/v1/download/jobs"' in lines[0]
    assert "user=" not in lines[0]


async def test_a_defect_is_a_500_without_internals(api, services, monkeypatch):
    monkeypatch.setattr(services.ledger.jobs, "of_user", away(RuntimeError("secret detail")))
    answer = await api.http.get(JOBS, headers={"Authorization": f"Bearer {api.token('anna')}"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_jobs_are_listed_newest_first_page_by_page(api):
    made = [await api.initiate(70_000 + number) for number in range(5)]
    first = await api.get(JOBS, params={"limit": 2})
    assert [job["job_id"] for job in first.json()["jobs"]] == [made[4], made[3]]
    assert (first.json()["total"], first.json()["page"]) == (5, 1)
    second = await api.get(re.match("<(.*)>; rel=", first.headers["link"])[1])
    assert [job["job_id"] for job in second.json()["jobs"]] == [made[2], made[1]]
    last = await api.get(JOBS, params={"limit": 2, "page": 3})
    assert [job["job_id"] for job in last.json()["jobs"]] == [made[0]]
    assert (last.json()["next_cursor"], "link" in last.headers) == (None, False)


async def test_jobs_can_be_chosen_by_status(api, services):
    await api.initiate(70_000)
    done = await api.initiate(70_001)
    await completed(services, done)
    page = (await api.get(JOBS, params={"status": "completed"})).json()
    assert ([job["job_id"] for job in page["jobs"]], page["total"]) == ([done], 1)
    assert "download_url" not in page["jobs"][0]


async def test_only_an_admin_names_another_user(api):
    job_id = await api.initiate()
    refused = await api.get(JOBS, params={"user": "anna"}, user="bert")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    page = (await api.get(JOBS, params={"user": "anna"}, user="root", role="admin")).json()
    assert [job["job_id"] for job in page["jobs"]] == [job_id]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("page=0", "page"),
        ("page=99999999999999999999", "page"),
        ("status=done", "status"),
        ("cursor=x", "cursor"),
        ("cursor=%C3%BC", "cursor"),
        ("cursor=AZ8k&page=2", "cursor"),
        ("user=%00", "user"),
        ("user=", "user"),
        ("&".join(f"a{n}=1" for n in range(200)), "query"),
    ],
)
async def test_a_wrong_query_is_told_where(api, query, name):
    answer = await api.get(f"{JOBS}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, name)


async def test_unknown_parameters_are_ignored(api):
    assert (await api.get(f"{JOBS}?utm_source=x")).status_code == 200


async def test_check_looks_into_the_store(api, services):
    async def chunks():
        yield b"12345"

    assert (await api.post(CHECK, {"file_id": 70_000})).json() == {"file_id": 70_000, "available": False}
    key = services.catalogue.recipe(Request(file_id=70_000)).params["key"]
    await services.storage.write(key, chunks(), file_name="f", content_type="application/zip")
    assert (await api.post(CHECK, {"file_id": 70_000})).json() == {"file_id": 70_000, "available": True, "size": 5}
    assert (await api.post(CHECK, {"file_id": 1})).status_code == 400


async def test_check_estimates_from_history(api, services):
    for number in range(3):
        await completed(services, await api.initiate(70_000 + number))
    await services.estimator.refresh()
    key = "downloads/70000.zip"

    async def chunks():
        yield b"12345"

    await services.storage.write(key, chunks(), file_name="f", content_type="application/zip")
    assert (await api.post(CHECK, {"file_id": 70_000})).json()["estimated_seconds"] >= 0
    body = (await api.status(await api.initiate(70_010))).json()
    assert body["estimate"]["samples"] == 3
    assert body["estimated_completion"] is not None


async def test_health_tells_of_every_dependency(api):
    for path in ("/health", "/health/ready"):
        answer = await api.get(path, user=None)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert answer.json()["checks"].keys() == {"ledger", "engine", "storage", "loop"}


@pytest.mark.parametrize(
    ("silent", "alive", "ready"),
    [("ledger", "degraded", 503), ("storage", "degraded", 503), ("engine", "degraded", 200)],
)
async def test_readiness_needs_ledger_and_storage(api, services, silent, alive, ready):
    services.checks._pings = dict(services.checks._pings) | {silent: away(TimeoutError())}
    answer = await api.get("/health", user=None)
    assert (answer.status_code, answer.json()["status"]) == (200, alive)
    assert answer.json()["checks"][silent] == {"status": "failing", "reason": "does not answer"}
    assert (await api.get("/health/ready", user=None)).status_code == ready


async def test_without_the_ledger_nothing_is_accepted_and_known_jobs_are_told(api, services, monkeypatch):
    job_id = await api.initiate()
    await failed(services, job_id)
    monkeypatch.setattr(services.ledger.jobs, "get", away(LedgerUnavailable()))
    monkeypatch.setattr(services.ledger.submissions, "submit", away(LedgerUnavailable()))
    refused = await api.post("/v1/download/initiate", {"file_id": 70_001})
    assert (refused.status_code, refused.json()["code"]) == (503, "ledger_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert (await api.status(job_id)).json()["status"] == "failed"


async def test_without_the_store_a_check_is_postponed(api, services, monkeypatch):
    monkeypatch.setattr(services.storage, "head", away(StorageUnavailable()))
    answer = await api.post(CHECK, {"file_id": 70_000})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")


async def test_the_documents_are_served_and_the_page_needs_no_one_else(api):
    assert (await api.get("/openapi.json", user=None)).json()["openapi"] == "3.1.0"
    page = await api.get("/docs", user=None)
    style = re.search("<style>(.*?)</style>", page.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["content-security-policy"]
    assert not re.findall(r'(?:src|href)="https?:', page.text)
    assert (await api.get("/", user=None)).headers["location"] == "/docs"


VISIBLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["file_id", "file_ids", "x", "ü"]), inner, max_size=4)
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["Idempotency-Key", "Prefer", "If-None-Match", "traceparent", "X-Request-ID", "Content-Type"]),
        VISIBLE.map(str.strip),
    ),
    path=st.sampled_from(["/v1/download/initiate", CHECK, f"/v1/download/retry/{NO_JOB}"]),
)
async def test_nothing_a_client_sends_is_our_fault(api, body, headers, path):
    known = {"Content-Type": "application/json"} | headers
    answer = await api.call("POST", path, content=body, headers=known, role="admin")
    assert answer.status_code < 500
