"""`params` and `allow_missing` of a request, from the API to the ledger."""

from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from haulier.preparers import Preparer
from haulier.preparers.registry import Registry

INITIATE, CHECK = "/v1/download/initiate", "/v1/download/check"


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    columns: Annotated[int, Meta(ge=1, le=12)] = 4
    title: str = ""
    more: dict[str, Any] = {}


@pytest.fixture
def services(services):
    """File 70000 is made by a preparer that lets a client choose."""
    prepare: Any = None
    sheet = Preparer(name="object", params=msgspec.Struct, prepare=prepare, request_params=Choice)
    services.registry._preparers = Registry([sheet, services.registry.get("archive")])._preparers
    return services


async def initiate(api, params: Any, **more: Any):
    return await api.post(INITIATE, {"file_id": 70_000, "params": params} | more)


async def test_params_are_kept_with_the_job_and_shown(api, ledger):
    body = (await initiate(api, {"columns": 6})).json()
    assert body["params"] == {"columns": 6}
    job = await ledger.jobs.get(body["job_id"])
    assert job.request.params == {"columns": 6}


async def test_equal_choices_are_one_job_and_others_are_not(api):
    spellings = [{}, {"columns": 4}, {"title": "", "columns": 4}, {"title": "a"}, {"title": "a", "columns": 4}]
    jobs = [(await initiate(api, params)).json()["job_id"] for params in spellings]
    assert jobs[0] == jobs[1] == jobs[2] == await api.initiate(70_000)
    assert jobs[3] == jobs[4] != jobs[0]


async def test_a_key_that_was_used_with_other_params_is_refused(api):
    headers = {"Idempotency-Key": "k"}
    await api.post(INITIATE, {"file_id": 70_000, "params": {"columns": 5}}, headers=headers)
    answer = await api.post(INITIATE, {"file_id": 70_000, "params": {"columns": 6}}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("path", [INITIATE, CHECK])
@pytest.mark.parametrize(
    ("params", "pointer", "sentence"),
    [
        ({"columns": "6"}, "/params/columns", "must be a whole number from 1 to 12; it is text"),
        ({"colour": 6}, "/params/colour", "is unknown (this file takes columns, title, more)"),
        ([], "/params", "must be an object; it is a list"),
        (None, "/params", "must be an object; it is null"),
        ({"title": "a\0"}, "/params/title", "has a character that is no text (NUL or a lone surrogate)"),
        ({"more": {"a\0": 1}}, "/params/more", "has a character that is no text (NUL or a lone surrogate)"),
        ({"more": {"a": 1e31}}, "/params/more/a", "is too large or too small a number"),
        ({"more": {"a": [-1e-31]}}, "/params/more/a/0", "is too large or too small a number"),
        ({"title": "x" * 20_000}, "/params", "is larger than 16384 bytes"),
        ({"more": {"a": [[[[[[[1]]]]]]]}}, "/params", "is nested deeper than 8 levels"),
    ],
)
async def test_wrong_params_are_told_where_and_what_fits(api, path, params, pointer, sentence):
    answer = await api.post(path, {"file_id": 70_000, "params": params})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["errors"] == [{"pointer": pointer, "detail": sentence}]


@pytest.mark.parametrize("content", [b'{"title": "\\ud800"}', b'{"\\ud800": 1}', b'{"more": {"a": 1e999}}'])
async def test_what_postgresql_cannot_keep_is_refused(api, content):
    body = b'{"file_id": 70000, "params": %s}' % content
    answer = await api.call("POST", INITIATE, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


@pytest.mark.parametrize("value", [10**29, 1.5e-29, -0.0, 0.1, "\U0001f600", [None, True, {}]])
async def test_any_other_value_comes_back_as_it_was_sent(api, ledger, value):
    body = (await initiate(api, {"more": {"a": value}})).json()
    assert body["params"] == {"more": {"a": value}}
    assert (await ledger.jobs.get(body["job_id"])).request.params == {"more": {"a": value}}


async def test_several_files_take_no_params(api):
    answer = await api.post(INITIATE, {"file_ids": [70_000, 70_001], "params": {"columns": 6}})
    assert answer.json()["errors"] == [
        {"pointer": "/params", "detail": "Params belong to one file: send them with file_id"}
    ]


async def test_allow_missing_is_kept_and_makes_another_job(api, ledger):
    strict = (await api.post(INITIATE, {"file_ids": [70_000, 70_001]})).json()
    lenient = (await api.post(INITIATE, {"file_ids": [70_000, 70_001], "allow_missing": True})).json()
    assert lenient["job_id"] != strict["job_id"]
    assert (lenient["allow_missing"], "allow_missing" in strict) == (True, False)
    assert (await ledger.jobs.get(lenient["job_id"])).request.allow_missing


async def test_params_for_a_preparer_that_is_installed_elsewhere_are_kept_as_sent(api, services):
    services.registry._preparers = {}
    assert (await initiate(api, {"columns": 4})).json()["params"] == {"columns": 4}


async def test_a_retry_asks_for_the_same(api):
    job_id = (await initiate(api, {"columns": 6})).json()["job_id"]
    await api.call("DELETE", f"/v1/download/cancel/{job_id}")
    again = (await api.post(f"/v1/download/retry/{job_id}")).json()
    assert again["params"] == {"columns": 6}
