"""The client follows jobs of a real API: by stream, and by what is left where streams do not come."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from haulier.client import Client, Patience
from haulier.client import following as module
from haulier.embedded.ports import free_port
from tests.integration.api_steps import completed, processing
from tests.proxies import holding_back
from tests.serving import serving
from tests.waiting import eventually


@pytest.fixture
async def server(settings):
    async with serving(settings) as server:
        yield server


@asynccontextmanager
async def following(server, job_id, *, url=None, **options):
    """(statuses told so far, the task that follows) of anna's job."""
    told = []
    async with Client(url or server.url, token=server.token("anna"), patience=Patience(first_s=0.05)) as client:

        async def follow():
            async for status in client.follow(job_id, **options):
                told.append(status)

        task = asyncio.create_task(follow())
        yield told, task
        await asyncio.wait_for(task, 20)


def in_order(told) -> bool:
    versions = [status.version for status in told]
    return versions == sorted(versions)


async def test_a_job_is_followed_by_one_stream(server):
    job_id = await server.initiate()
    async with following(server, job_id) as (told, _):
        await eventually(lambda: told)
        assert len(server.services.feeds) == 1
        await completed(server.services, job_id)
    assert [told[0].status, told[-1].status] == ["queued", "completed"]
    assert in_order(told)


@pytest.mark.parametrize("blocks", [0, 2])  # nothing; the interval and the snapshot
async def test_behind_a_proxy_that_holds_events_back_it_is_polled(server, monkeypatch, blocks):
    monkeypatch.setattr(module, "FIRST_S", 0.3)
    monkeypatch.setattr(module, "DEAD_S", 0.3)
    monkeypatch.setattr(module, "RECONNECT_S", 0.01)
    job_id = await server.initiate()
    async with holding_back(server.url, blocks=blocks) as url, following(server, job_id, url=url) as (told, _):
        await eventually(lambda: told)
        await completed(server.services, job_id)
    assert told[-1].status == "completed"
    assert in_order(told)


async def test_a_restart_of_the_api_is_no_more_than_a_pause(settings, server, monkeypatch):
    monkeypatch.setattr(module, "RECONNECT_S", 0.01)
    monkeypatch.setattr(module, "WITHOUT_STREAM_S", 0.5)
    job_id = await server.initiate()
    port = free_port()
    async with serving(settings, port=port) as first:
        assert first.url.endswith(str(port))
        follower = following(server, job_id, url=first.url)
        told, task = await follower.__aenter__()
        await eventually(lambda: told)
    attempt = await processing(server.services, job_id)
    assert not task.done()
    async with serving(settings, port=port):
        await eventually(lambda: told[-1].version >= attempt.job.version)
        await server.call("DELETE", f"/v1/download/cancel/{job_id}")
        await follower.__aexit__(None, None, None)
    assert told[-1].status == "cancelled"
    assert in_order(told)


async def test_too_many_streams_are_no_reason_to_fail(settings):
    async with serving(settings, live_connections_user=1) as server:
        job_id = await server.initiate()
        async with following(server, job_id) as (first, _), following(server, job_id) as (second, _):
            await eventually(lambda: first and second)
            await completed(server.services, job_id)
        assert first[-1].status == second[-1].status == "completed"


async def test_all_jobs_are_followed(server):
    job_id = await server.initiate(70_000)
    async with Client(server.url, token=server.token("anna")) as client:
        changes = client.follow_all()
        assert (await anext(changes)).job_id == job_id
        assert await anext(changes) is None
        later = await server.initiate(70_001)
        assert (await anext(changes)).job_id == later
        await changes.aclose()
    await eventually(lambda: len(server.services.feeds) == 0)
