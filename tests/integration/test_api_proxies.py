"""Streams through a real nginx: not held back by its buffers, not cut when nothing happens."""

import asyncio
import re
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from haulier.api import serve
from haulier.api.live import streaming
from tests.integration.api_steps import completed, processing
from tests.nginx import needs_nginx, nginx
from tests.serving import serving
from tests.sockets import Socket
from tests.sse import listening

pytestmark = needs_nginx
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
async def server(settings):
    async with serving(settings) as server:
        yield server


@pytest.fixture
def followed(server, tmp_path):
    """`async with followed(job_id, "…;") as events`: anna's job through an nginx with further lines."""

    @asynccontextmanager
    async def through(job_id, more=""):
        async with (
            nginx(tmp_path / "nginx", target=server.url, more=more) as url,
            httpx.AsyncClient(base_url=url) as http,
            listening(http, f"/v1/download/events/{job_id}", token=server.token("anna")) as events,
        ):
            yield events

    return through


async def test_nginx_passes_each_event_on_at_once(server, followed):
    job_id = await server.initiate()
    async with followed(job_id) as events:
        assert (await events.next()).data["status"] == "queued"
        attempt = await processing(server.services, job_id)
        assert (await events.next()).data["version"] == attempt.job.version
        await server.call("DELETE", f"/v1/download/cancel/{job_id}")
        assert [event.data["status"] for event in await events.rest()] == ["cancelled"]


async def test_heartbeats_keep_an_idle_stream_from_being_cut(server, followed, monkeypatch):
    # As 15 s are to 30 s, with room: a proxy that cuts what was idle for 3 s, and heartbeats each second.
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 1.0)
    job_id = await server.initiate()
    await processing(server.services, job_id)
    async with followed(job_id, "proxy_read_timeout 3s;") as events:
        await events.next()
        for _ in range(4):
            await events.comment()


async def test_nginx_sees_the_job_end(server, followed):
    job_id = await server.initiate()
    async with followed(job_id) as events:
        await events.next()
        await completed(server.services, job_id)
        assert (await events.rest())[-1].data["status"] == "completed"


async def test_as_documented_nginx_offers_an_upgrade_to_who_asked_for_one_only(server, tmp_path):
    # HTTP/2 allows no such header: its clients take an answer with one for a protocol error.
    page = (DOCS / "websocket.md").read_text()
    (location,) = re.findall(r"^```nginx$(.+?)^```$", page, re.DOTALL | re.MULTILINE)
    lines = [line for line in location.splitlines() if "_header Upgrade " in line or "hide_header" in line]
    more = "\n".join(line for line in lines if "proxy_set_header" not in line)
    token = {"Authorization": f"Bearer {server.token('anna')}"}
    async with nginx(tmp_path / "nginx", target=server.url, more=more) as url, httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/ws")
        assert (answer.status_code, answer.headers.get("upgrade")) == (426, None)
        async with connect(f"{url.replace('http', 'ws', 1)}/ws", additional_headers=token, proxy=None) as connection:
            assert await Socket(connection).hear() == {"type": "ready"}


async def test_a_websocket_goes_through_nginx_and_its_pings_keep_it_open(settings, tmp_path, monkeypatch):
    # As 20 s are to 30 s, with room: nginx cuts what was idle for 3 s, and the server pings each second.
    monkeypatch.setattr(serve, "PING_S", 1.0)
    async with serving(settings) as server:
        job_id = await server.initiate()
        token = {"Authorization": f"Bearer {server.token('anna')}"}
        async with (
            nginx(tmp_path / "nginx", target=server.url, more="proxy_read_timeout 3s;") as url,
            connect(f"{url.replace('http', 'ws', 1)}/ws", additional_headers=token, proxy=None) as connection,
        ):
            socket = Socket(connection)
            await socket.hear_until("ready")
            assert [told["status"] for told in await socket.follow(job_id)] == ["queued"]
            await asyncio.sleep(4)  # longer than nginx keeps what is idle: that is what is tested
            attempt = await processing(server.services, job_id)
            while (told := await socket.hear())["version"] < attempt.job.version:
                pass  # what a queued job waits for is told without a new version
            assert told["version"] == attempt.job.version
