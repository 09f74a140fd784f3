"""The file handle on a folder store: who sends the bytes, and what opens it."""

import base64
import dataclasses
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from botocore.credentials import Credentials

from haulier.api.app import create_app
from haulier.api.services import open_services
from haulier.storage.signing import S3Signer
from tests.api_client import ApiClient
from tests.integration.api_steps import CONTENT, completed

FILE = "/v1/download/file/"
LINK_SIGNED = "X-Amz-Signature="


async def credentials():
    return Credentials("access", "secret"), None


@pytest.fixture
async def job_id(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    return job_id


@pytest.fixture
def far_store(services):
    """The same bytes, with links that lead to another server."""
    services.storage.signer = S3Signer(credentials, bucket_url="http://s3.test/b", region="us-east-1")


@asynccontextmanager
async def api_with(settings, **changed):
    async with open_services(msgspec.structs.replace(settings, **changed)) as services:
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
            yield ApiClient(http, secret=services.settings.jwt_secret)


async def test_the_api_sends_the_file_itself_when_it_is_asked_to(api, job_id):
    whole = await api.get(FILE + job_id + "?via=api")
    part = await api.get(FILE + job_id + "?via=api", headers={"Range": "bytes=1-2", "If-Range": whole.headers["etag"]})
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert (part.status_code, part.content) == (206, CONTENT[1:3])
    assert part.headers["repr-digest"] == whole.headers["repr-digest"]
    assert 'filename="70000.zip"' in whole.headers["content-disposition"]


async def test_conditions_hold_there_too(api, job_id):
    way = FILE + job_id + "?via=api"
    etag = (await api.get(way)).headers["etag"]
    assert (await api.get(way, headers={"If-None-Match": etag})).status_code == 304
    assert (await api.get(way, headers={"If-Match": '"other"'})).status_code == 412
    beyond = await api.get(way, headers={"Range": "bytes=99-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */5")


@pytest.mark.parametrize("agent", ["Wget/1.21.3", "aria2/1.36.0", "Wget/2.1.0"])
async def test_programs_that_carry_the_token_on_stay_with_the_api(api, services, job_id, far_store, agent):
    agent = {"User-Agent": agent}
    link = (await api.get(FILE + job_id, headers=agent)).headers["location"]
    assert link.startswith(f"{services.settings.base_url}/files/")
    assert LINK_SIGNED in (await api.get(FILE + job_id + "?via=store", headers=agent)).headers["location"]


async def test_they_get_the_bytes_at_once_where_there_are_no_links_of_our_own(services, job_id, far_store):
    transport = httpx.ASGITransport(create_app(dataclasses.replace(services, own_links=None)))
    async with httpx.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
        api = ApiClient(http, secret=services.settings.jwt_secret)
        assert (await api.get(FILE + job_id, headers={"User-Agent": "Wget/1.21.3"})).content == CONTENT


@pytest.mark.parametrize("agent", ["curl/7.88.1", "Mozilla/5.0 (like Wget/1)", ""])
async def test_others_are_redirected(api, job_id, far_store, agent):
    answer = await api.get(FILE + job_id, headers={"User-Agent": agent, "Range": "bytes=1-"})
    assert answer.status_code == 307
    assert LINK_SIGNED in answer.headers["location"]


async def test_a_range_of_another_build_is_not_left_to_the_store(api, job_id, far_store):
    etag = (await api.get(FILE + job_id + "?via=api")).headers["etag"]
    part = {"Range": "bytes=1-"}
    assert (await api.get(FILE + job_id, headers=part | {"If-Range": etag})).status_code == 307
    for other in ('"other"', f"W/{etag}", "Tue, 24 Nov 2026 10:00:00 GMT"):
        answer = await api.get(FILE + job_id, headers=part | {"If-Range": other})
        assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_head_needs_no_link_where_links_are_for_get_alone(api, job_id, far_store):
    head = await api.call("HEAD", FILE + job_id)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))


async def test_an_unknown_way_is_refused(api, job_id):
    answer = await api.get(FILE + job_id + "?via=pigeon")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "via")


async def test_the_setting_keeps_everybody_away_from_the_store(settings, job_id):
    async with api_with(settings, file_delivery="api") as api:
        for way in ("", "?via=store", "?via=auto"):
            assert (await api.get(FILE + job_id + way)).content == CONTENT


async def test_a_password_opens_the_handle_and_nothing_else(api, job_id):
    password = base64.b64encode(f"token:{api.token('anna')}".encode()).decode()
    basic = {"Authorization": f"Basic {password}"}
    assert (await api.get(FILE + job_id, headers=basic)).status_code == 307
    assert (await api.get("/v1/download/result/" + job_id, headers=basic)).status_code == 401
    assert (await api.get(FILE + job_id, headers={"Authorization": "Basic eDp5"})).status_code == 401


async def test_someone_elses_file_is_not_there_on_any_way(api, job_id):
    for way in ("", "?via=api", "?via=store"):
        answer = await api.get(FILE + job_id + way, user="eve")
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
