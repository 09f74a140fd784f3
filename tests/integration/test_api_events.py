"""Server-sent events on a real server: each version once and in order, across reconnects, replicas and losses."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
import pytest

from haulier.api.live import streaming, telling
from haulier.job import Progress
from haulier.ledger import Beat
from haulier.settings import Secret
from tests.integration.api_steps import completed, processing
from tests.integration.ledger_steps import LEASE, claimed
from tests.serving import serving
from tests.sse import listening
from tests.waiting import eventually

ALL = "/v1/download/events"


@pytest.fixture
async def server(settings):
    async with serving(settings) as server:
        yield server


def one(job_id: str) -> str:
    return f"{ALL}/{job_id}"


async def advanced(server, attempt, percent: int, *, announce: bool = True):
    """The job of a running attempt with more progress."""
    beats = [Beat(attempt, Progress("x", percent, 100, percent))]
    job = (await server.services.ledger.attempts.beat(beats, lease=LEASE))[attempt.job.id]
    if announce:
        server.services.snapshots.announce(job)
    return job


async def test_a_job_is_told_from_its_snapshot_to_its_end(server):
    job_id = await server.initiate()
    async with listening(server.http, one(job_id), token=server.token("anna")) as events:
        first = await events.next()
        assert (first.name, first.id, first.data["status"]) == ("status", "1", "queued")
        await completed(server.services, job_id)
        rest = await events.rest()
    assert [event.data["status"] for event in rest][-1] == "completed"
    versions = [int(event.id) for event in rest]
    assert versions == sorted(versions)
    assert all(str(event.data["version"]) == event.id for event in rest)
    assert rest[-1].data == (await server.status(job_id)).json() | {
        key: rest[-1].data[key] for key in ("download_url", "download_url_expires_at")
    }


async def test_a_stream_begins_with_when_to_come_back_and_is_not_to_be_buffered(server):
    job_id = await server.initiate()
    await completed(server.services, job_id)
    answer = await server.http.get(one(job_id), headers={"Authorization": f"Bearer {server.token('anna')}"})
    assert answer.text.startswith("retry: 2000\n\nid: ")
    assert answer.headers["x-accel-buffering"] == "no"


async def test_progress_is_told_as_it_comes(server):
    job_id = await server.initiate()
    attempt = await processing(server.services, job_id)
    async with listening(server.http, one(job_id), token=server.token("anna")) as events:
        await events.next()
        for percent in (10, 20, 30):
            await advanced(server, attempt, percent)
            assert (await events.next()).data["progress"] == percent


async def test_a_job_that_is_over_is_told_once(server):
    job_id = await server.initiate()
    job = await completed(server.services, job_id)
    async with listening(server.http, one(job_id), token=server.token("anna")) as events:
        assert [event.data["status"] for event in await events.rest()] == ["completed"]
    answer = await server.get(one(job_id), headers={"Last-Event-ID": str(job.version)})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_version_that_the_job_never_had_is_as_good_as_none(server):
    job_id = await server.initiate()
    async with listening(server.http, one(job_id), token=server.token("anna"), last="999") as events:
        assert (await events.next()).id == "1"
        await completed(server.services, job_id)
        assert (await events.rest())[-1].data["status"] == "completed"


async def test_after_a_reconnect_nothing_older_comes(server):
    job_id = await server.initiate()
    stale = await server.services.snapshots.get(UUID(job_id))
    attempt = await processing(server.services, job_id)
    job = await advanced(server, attempt, 40)
    # A process that has not heard of it yet:
    server.services.snapshots._entries[job.id].job = stale
    async with listening(server.http, one(job_id), token=server.token("anna"), last=str(job.version)) as events:
        event = await events.next()
        assert (event.id, event.data["progress"]) == (str(job.version), 40)


@pytest.mark.parametrize("last", ["x", "-1", "99999999999999999999", "1.5", ""])
async def test_a_cursor_that_is_none_is_as_good_as_none(server, last):
    job_id = await server.initiate()
    for path in (one(job_id), ALL):
        async with listening(server.http, path, token=server.token("anna"), last=last) as events:
            assert (await events.next()).data["job_id"] == job_id


async def test_another_users_job_is_as_unknown_as_none(server):
    job_id = await server.initiate(user="anna")
    foreign = await server.get(one(job_id), user="ben")
    unknown = await server.get(one("01a21425-61e4-762b-996c-04dc0f793811"), user="ben")
    assert [answer.status_code for answer in (foreign, unknown)] == [404, 404]
    assert foreign.json()["code"] == unknown.json()["code"] == "job_not_found"
    assert (await server.get(one("none"))).status_code == 404
    async with listening(server.http, one(job_id), token=server.token("root", role="admin")) as events:
        assert (await events.next()).data["job_id"] == job_id


async def test_a_lost_announcement_is_repaired(server):
    job_id = await server.initiate()
    attempt = await processing(server.services, job_id)
    async with (
        listening(server.http, one(job_id), token=server.token("anna")) as job,
        listening(server.http, ALL, token=server.token("anna")) as jobs,
    ):
        assert (await job.next()).data["progress"] == 0
        await jobs.next()
        assert (await jobs.next()).name == "ready"
        await advanced(server, attempt, 50, announce=False)
        assert (await job.next()).data["progress"] == 50
        assert (await jobs.next()).data["progress"] == 50


async def test_without_redis_the_ledger_tells(settings):
    async with serving(settings, redis_url=Secret("redis://127.0.0.1:1/0")) as server:
        job_id = await server.initiate()
        async with (
            listening(server.http, one(job_id), token=server.token("anna")) as job,
            listening(server.http, ALL, token=server.token("anna")) as jobs,
        ):
            assert [(await jobs.next()).name for _ in range(2)] == ["status", "ready"]
            attempt = await claimed(server.services.ledger, await server.services.ledger.jobs.get(UUID(job_id)))
            for events in (job, jobs):
                while (told := (await events.next()).data)["status"] != "processing":
                    pass  # what a queued job waits for is told without a new version
                assert told["version"] == attempt.job.version


async def test_all_jobs_are_told_with_those_that_begin_later(server):
    running = await server.initiate(70_000)
    await processing(server.services, running)
    await server.initiate(70_000, user="ben")
    async with listening(server.http, ALL, token=server.token("anna")) as events:
        assert (await events.next()).data["job_id"] == running
        ready = await events.next()
        assert (ready.name, ready.data) == ("ready", {})
        later = await server.initiate(70_001)
        assert (await events.next()).data["job_id"] == later


async def test_what_ended_while_nobody_listened_is_told_after_a_reconnect(server):
    job_id, other = await server.initiate(70_000), await server.initiate(70_001)
    async with listening(server.http, ALL, token=server.token("anna")) as events:
        told = [await events.next() for _ in range(3)]
    await completed(server.services, job_id)
    async with listening(server.http, ALL, token=server.token("anna"), last=told[-1].id) as events:
        found = [await events.next() for _ in range(2)]
        assert [(event.data["job_id"], event.data["status"]) for event in found] == [
            (job_id, "completed"),
            (other, "queued"),
        ]
    async with listening(server.http, ALL, token=server.token("anna")) as events:
        assert (await events.next()).data["job_id"] == other


async def test_a_cursor_is_not_ahead_of_what_it_has_told(server, at):
    early = await server.initiate(70_000)
    await completed(server.services, early)
    await at(hours=23)
    late = await completed(server.services, await server.initiate(70_001))
    await at(hours=25)
    assert [job.id for job in (await server.services.ledger.retention.expire_artefacts()).jobs] == [UUID(early)]
    async with listening(server.http, ALL, token=server.token("anna"), last="0") as events:
        first = await events.next()
    assert first.data["job_id"] == early
    assert int(first.id) <= late.completed_at.timestamp() * 1000  # or a stream that broke off here would skip it


async def test_the_place_in_the_queue_moves_without_a_version(server, monkeypatch):
    monkeypatch.setattr(telling, "LOOK_AGAIN_S", 0.1)
    first, second = await server.initiate(70_000), await server.initiate(70_001)
    async with listening(server.http, one(second), token=server.token("anna")) as events:
        begun = (await events.next()).data
        await server.call("DELETE", f"/v1/download/cancel/{first}")
        moved = (await events.next()).data
    assert (moved["version"], moved["queue_position"]) == (begun["version"], begun["queue_position"] - 1)


async def test_a_quiet_stream_sends_heartbeats(server, monkeypatch):
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.1)
    job_id = await server.initiate()
    await processing(server.services, job_id)
    async with listening(server.http, one(job_id), token=server.token("anna")) as events:
        await events.next()
        await events.comment()
        await events.comment()


async def test_a_stream_ends_with_its_token(server):
    job_id = await server.initiate()
    await processing(server.services, job_id)
    token = server.token("anna", ttl_s=5)  # less up to a second; both streams begin before its end
    async with (
        listening(server.http, one(job_id), token=token) as job,
        listening(server.http, ALL, token=token) as jobs,
    ):
        for end in [(await events.rest())[-1] for events in (job, jobs)]:
            assert (end.name, end.data["code"]) == ("end", "token_expired")


async def test_a_server_that_stops_ends_its_streams(server):
    job_id = await server.initiate()
    async with listening(server.http, one(job_id), token=server.token("anna")) as events:
        await events.next()
        server.services.stop()
        end = (await events.rest())[-1]
    assert (end.name, end.data["code"]) == ("end", "stopping")


async def test_a_user_has_so_many_streams(settings):
    async with serving(settings, live_connections_user=1) as server:
        job_id = await server.initiate()
        async with listening(server.http, one(job_id), token=server.token("anna")) as events:
            await events.next()
            refused = await server.get(ALL)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
            assert refused.headers["retry-after"] == "10"
        await eventually(lambda: len(server.services.feeds) == 0)
        async with listening(server.http, ALL, token=server.token("anna")) as events:
            await events.next()


async def test_without_the_ledger_there_is_no_list_but_an_answer(server):
    await server.services.ledger.ping()
    headers = {"Authorization": f"Bearer {server.token('anna')}"}
    answer = await server.http.head(ALL, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


async def test_two_processes_tell_the_same(settings):
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(settings))
        second = await stack.enter_async_context(serving(settings))
        job_id = await first.initiate()
        streams = [
            await stack.enter_async_context(listening(each.http, one(job_id), token=each.token("anna")))
            for each in (first, second)
        ]
        for events in streams:
            assert (await events.next()).data["status"] == "queued"
        await completed(first.services, job_id)
        told = [await events.rest() for events in streams]
    assert [events[-1].data["status"] for events in told] == ["completed", "completed"]
    assert told[0][-1].id == told[1][-1].id


async def test_clients_that_hang_up_leave_nothing_behind(server):
    job_id = await server.initiate()
    await processing(server.services, job_id)
    headers = f"Host: x\r\nAuthorization: Bearer {server.token('root', role='admin')}\r\n\r\n"
    await server.get("/health")

    def left():
        return len(asyncio.all_tasks()), sum(1 for _ in Path("/proc/self/fd").iterdir()), len(server.services.feeds)

    base = left()
    for _ in range(4):
        writers = []
        for _ in range(250):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http.base_url.port)
            writer.write(f"GET {one(job_id)} HTTP/1.1\r\n{headers}".encode())
            assert b"200 OK" in await reader.readline()
            writers.append(writer)
        for writer in writers:
            writer.transport.abort()
        await eventually(lambda: all(now <= before for now, before in zip(left(), base, strict=True)))
    assert (server.services.feeds.by_job, server.services.feeds.by_user) == ({}, {})


async def test_a_client_that_takes_nothing_is_dropped(server, monkeypatch):
    monkeypatch.setattr(streaming, "SLOW_S", 0.2)
    job_id = await server.initiate()
    attempt = await processing(server.services, job_id)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", server.http.base_url.port))
    with client:
        head = f"GET {one(job_id)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token('anna')}\r\n\r\n"
        client.sendall(head.encode())
        await eventually(lambda: len(server.services.feeds) == 1)
        for round_ in range(20_000):
            job = msgspec.structs.replace(
                attempt.job,
                version=attempt.job.version + round_ + 1,
                progress=Progress("x" * 2_000, 1, 2, 1),
            )
            server.services.snapshots.remember(job)
            await asyncio.sleep(0.001)
            if not len(server.services.feeds):
                break
        assert len(server.services.feeds) == 0


async def test_pages_of_allowed_origins_may_listen(settings):
    async with serving(settings, allowed_origins="https://app.example") as server:
        preflight = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
            answer = await server.http.options(ALL, headers=preflight | {"Origin": origin})
            assert ("access-control-allow-origin" in answer.headers) is allowed
        answer = await server.http.get(one("none"), headers={"Origin": "https://app.example"})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "retry-after" in answer.headers["access-control-expose-headers"].lower()


async def test_a_token_is_needed(server):
    answer = await server.http.get(ALL)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert httpx.codes.is_client_error(answer.status_code)
