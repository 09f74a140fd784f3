"""What browsers load: kept by ETag, the same for every job, and clear where it was not built."""

import httpx
import pytest
from starlette.routing import Route, Router

from haulier.api import pages
from haulier.api.endpoint import Endpoint
from haulier.api.envelope import Envelope
from haulier.clock import SYSTEM_CLOCK
from haulier.settings import load

SETTINGS = load({}, public_url="https://haulier.example")


def client(module: bytes | None) -> httpx.AsyncClient:
    routes = [Route(each.path, Endpoint([each], None)) for each in pages.page_operations(SETTINGS, module=module)]
    app = Envelope(Router(routes), settings=SETTINGS, clock=SYSTEM_CLOCK)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://haulier.example")


@pytest.fixture
async def browser():
    async with client(b"export {}") as browser:
        yield browser


async def test_the_module_is_kept_and_may_be_loaded_by_any_page(browser):
    answer = await browser.get("/haulier-download.js")
    assert (answer.status_code, answer.content) == (200, b"export {}")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    again = await browser.get("/haulier-download.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_page_of_a_job_tells_nothing_about_it(browser):
    one = await browser.get("/jobs/01a21425-61e4-762b-996c-04dc0f793811")
    other = await browser.get("/jobs/none")
    assert one.status_code == 200
    assert one.content == other.content
    assert "https://haulier.example/v1/download/file/" in one.text
    assert "{style}" not in one.text


async def test_the_page_runs_no_script_but_its_own(browser):
    answer = await browser.get("/jobs/x")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "onclick" not in answer.text
    script = await browser.get("/jobs/page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert b"localStorage" not in script.content


async def test_what_was_not_built_is_said_so(monkeypatch):
    monkeypatch.setattr(pages, "_built", lambda: None)
    async with client(None) as browser:
        answer = await browser.get("/haulier-download.js")
        assert (answer.status_code, answer.json()["code"]) == (404, "web_not_built")
        assert "make web" in answer.json()["detail"]
