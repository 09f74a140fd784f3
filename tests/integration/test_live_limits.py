"""Live updates where it is tight: many changes at once, a silent ledger, clocks that differ, slow readers."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from haulier.api import places
from haulier.api.auth import Caller
from haulier.api.live import following
from haulier.api.live.all_jobs import AllJobs
from haulier.api.live.events import OneUser
from haulier.api.live.streaming import EventStream
from haulier.api.views import LONGEST_RETRY_QUEUED_S
from haulier.clock import SYSTEM_CLOCK, SystemClock
from haulier.errors import LedgerUnavailable
from haulier.job import new_job_id
from haulier.ledger import changes
from haulier.limits import Role
from haulier.live import repair
from haulier.live import snapshots as module
from tests.builders import submission
from tests.integration.api_steps import completed, processing
from tests.integration.ledger_steps import claimed, queue
from tests.serving import serving
from tests.sockets import socket
from tests.sse import listening
from tests.waiting import PATIENCE_S

JOB_EVENTS, ALL_EVENTS = "/v1/download/events/{}", "/v1/download/events"


@pytest.fixture
async def server(settings):
    async with serving(settings) as server:
        yield server


@pytest.fixture
def services(server):
    return server.services


def all_events(server, **options):
    return listening(server.http, ALL_EVENTS, token=server.token("anna"), **options)


@pytest.fixture
def away(services, monkeypatch):
    """`away()`: from now on the ledger does not answer about single jobs; its list is of the jobs it was asked for.

    Who has met its silence takes it for silent for the rest of the test.
    """
    monkeypatch.setattr(following, "SILENT_S", 600)

    def go() -> list[UUID]:
        asked: list[UUID] = []

        async def get(job_id):
            asked.append(job_id)
            raise LedgerUnavailable

        monkeypatch.setattr(services.ledger.jobs, "get", get)
        return asked

    return go


# ---- many changes


async def test_no_change_is_lost_among_many(server, services, monkeypatch):
    monkeypatch.setattr(changes, "CHANGES_AT_ONCE", 2)
    monkeypatch.setattr(repair, "JOBS_AT_ONCE", 2)
    async with all_events(server) as events:
        assert (await events.next()).name == "ready"
        late, *others = await queue(services.ledger, "anna", 7)
        await services.ledger.attempts.cancel(late.id, user_id="anna")  # nobody announces it
        last = {str(late.id): "cancelled"} | {str(job.id): "queued" for job in others}
        seen = {}
        async with asyncio.timeout(PATIENCE_S):
            while seen != last:  # a look before the cancel tells of the job as it was, and places move
                event = await events.next()
                seen[event.data["job_id"]] = event.data["status"]


async def test_what_is_followed_is_not_forgotten_for_others(server, services, monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 2)
    jobs = await queue(services.ledger, "anna", 5)
    async with socket(server) as ws:
        for job in jobs:
            await ws.follow(str(job.id))
        await queue(services.ledger, "ben", 3)
        assert all(services.snapshots.fresh(job.id) for job in jobs)
        for job in await queue(services.ledger, "ben", 3):
            services.snapshots.remember(job)
        assert len(services.snapshots.asked_for(())) == 5


# ---- a silent ledger


async def test_nothing_older_is_answered_without_the_ledger(server, services, away):
    job_id = await server.initiate()
    attempt = await processing(services, job_id)
    away()
    answer = await server.status(job_id, headers={"If-None-Match": f'"{attempt.job.version}-0"'})
    assert (answer.status_code, answer.json()["version"]) == (200, attempt.job.version)
    answer = await server.status(job_id, headers={"If-None-Match": f'"{attempt.job.version + 1}-0"'})
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
    assert "retry-after" in answer.headers


async def test_a_read_that_began_too_early_is_not_enough(server, services, monkeypatch):
    job = (await services.ledger.submissions.submit(submission())).job
    read, reading, let_go = services.ledger.jobs.get, asyncio.Event(), asyncio.Event()

    async def slow(job_id):
        found = await read(job_id)
        reading.set()
        await let_go.wait()
        return found

    monkeypatch.setattr(services.ledger.jobs, "get", slow)
    early = asyncio.create_task(services.snapshots.get(job.id))
    await reading.wait()
    monkeypatch.setattr(services.ledger.jobs, "get", read)
    attempt = await claimed(services.ledger, job)  # another process tells the client of it
    late = asyncio.create_task(services.snapshots.at_least(job.id, version=attempt.job.version))
    await asyncio.sleep(0)
    let_go.set()
    assert (await late).version == attempt.job.version
    await early


async def test_without_the_ledger_nobody_learns_whose_job_there_is(server, services, away):
    job_id = await server.initiate()
    await server.status(job_id)
    asked = away()
    answers = [await server.status(each, user="ben") for each in (job_id, str(new_job_id()))]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "ledger_unavailable")] * 2
    asked.clear()
    unknown = [str(new_job_id()), str(new_job_id())]
    async with socket(server, user="ben") as ws:
        for each in (unknown[0], job_id, unknown[1]):
            await ws.say("subscribe", job_id=each)
            assert await ws.error() == "ledger_unavailable"
    assert [str(each) for each in asked] == unknown[:1]  # nor by how long it takes: both are refused without waiting


async def test_many_subscriptions_wait_for_a_silent_ledger_once(server, away):
    asked = away()
    async with socket(server) as ws:
        for _ in range(10):
            await ws.say("subscribe", job_id=str(new_job_id()))
        assert {await ws.error() for _ in range(10)} == {"ledger_unavailable"}
    assert len(asked) == 1


async def test_changes_are_told_between_answers(server, services):
    job_id = await server.initiate()
    async with socket(server) as ws:
        await ws.follow(job_id)
        began, changed = asyncio.Event(), asyncio.Event()
        find = services.snapshots.at_least

        async def slow(*args, **options):
            began.set()
            await changed.wait()
            return await find(*args, **options)

        services.snapshots.at_least = slow
        for _ in range(5):
            await ws.say("subscribe", job_id=str(new_job_id()))
        await began.wait()
        await processing(services, job_id)
        changed.set()
        heard = [(await ws.hear())["type"] for _ in range(6)]
    assert heard.index("status") < 5


# ---- where to go on


async def test_a_socket_goes_on_from_its_cursor(server, services):
    ended, alive = await server.initiate(), await server.initiate(70_001)
    async with socket(server) as ws:
        assert len(await ws.follow()) == 2
        cursor = ws.cursor
    await completed(services, ended)
    async with socket(server) as ws:
        told = {each["job_id"]: each["status"] for each in await ws.follow(since=cursor)}
        assert told == {ended: "completed", alive: "queued"}
        assert int(ws.cursor) >= int(cursor)
        await processing(services, alive)
        assert int((await ws.hear())["cursor"]) >= int(ws.cursor)
    async with socket(server) as ws:
        assert [each["job_id"] for each in await ws.follow()] == [alive]


async def test_a_cursor_goes_with_all_jobs_only(server):
    async with socket(server) as ws:
        for fields in ({"job_id": str(new_job_id()), "since": "1"}, {"all": True, "since": "yesterday"}):
            await ws.say("subscribe", **fields)
            assert await ws.error() == "malformed_message"


async def test_a_cursor_of_the_future_hides_nothing(server, services):
    await completed(services, await server.initiate())
    async with all_events(server, last="99999999999999") as events:
        assert (await events.next()).data["status"] == "completed"
        ready = await events.next()
    assert int(ready.id) / 1000 < SYSTEM_CLOCK.now().timestamp() + 60


async def test_a_cursor_is_of_the_ledgers_clock(services):
    class Ahead(SystemClock):
        def now(self):
            return super().now() + timedelta(hours=1)

    jobs = AllJobs("anna", replace(services, clock=Ahead()), since=None)
    with services.feeds.open(user_id="anna") as feed:
        assert [job async for job, _ in jobs.begin(feed)] == []
    assert int(jobs.cursor) / 1000 < SYSTEM_CLOCK.now().timestamp() + 60


# ---- slow readers


async def test_nothing_is_told_after_the_tokens_end_however_much_has_changed(services):
    ends_at = SYSTEM_CLOCK.now().timestamp() + 3_600
    over = asyncio.Event()

    class Clock(SystemClock):
        def now(self):
            return super().now() + timedelta(hours=2 if over.is_set() else 0)

    own = replace(services, clock=Clock())
    caller = Caller(user_id="anna", role=Role.FREE, expires=ends_at)
    jobs = await queue(services.ledger, "anna", 5)
    sent: list[bytes] = []

    async def send(message):
        sent.append(message.get("body", b""))
        if len(sent) == 2:
            for job in jobs:
                services.snapshots.remember(msgspec.structs.replace(job, version=9))
        over_now = len(sent) == 3
        if over_now:
            over.set()

    stream = EventStream(OneUser(AllJobs("anna", own, since=None)), caller=caller, services=own)
    await stream({"type": "http", "method": "GET"}, asyncio.Event().wait, send)
    told = b"".join(sent[2:])
    assert told.count(b"event: status") == 1
    assert b"token_expired" in told


async def test_a_snapshot_of_many_asks_for_their_places_once(server, services, monkeypatch):
    await queue(services.ledger, "anna", 30)
    monkeypatch.setattr(places, "ANSWER_S", 10)  # however long the look takes, none is told without a place
    monkeypatch.setattr(places, "FRESH_S", 600)
    jobs, looks = services.ledger.jobs, []
    line = jobs.line

    async def counted():
        looks.append("line")
        return await line()

    async def alone(_job_id):
        looks.append("one job")

    monkeypatch.setattr(jobs, "line", counted)
    monkeypatch.setattr(jobs, "place_in_line", alone)
    async with all_events(server) as events:
        told = [await events.next() for _ in range(30)]
    assert sorted(each.data["queue_position"] for each in told) == [*range(1, 31)]
    assert looks == ["line"]


async def test_a_client_that_hangs_up_during_the_snapshot_leaves_nothing(services, monkeypatch):
    await queue(services.ledger, "anna", 3)
    began, gone = asyncio.Event(), asyncio.Event()

    async def slow(*_):
        began.set()
        await gone.wait()
        await asyncio.sleep(0)
        raise LedgerUnavailable

    monkeypatch.setattr(services.ledger.jobs, "line", slow)

    async def receive():
        await began.wait()
        gone.set()
        return {"type": "http.disconnect"}

    async def send(_message):
        pass

    caller = Caller(user_id="anna", role=Role.FREE, expires=SYSTEM_CLOCK.now().timestamp() + 60)
    stream = EventStream(OneUser(AllJobs("anna", services, since=None)), caller=caller, services=services)
    await asyncio.wait_for(stream({"type": "http", "method": "GET"}, receive, send), 10)
    assert len(services.feeds) == 0


# ---- polling


def test_who_obeys_retry_after_is_still_compared_with_the_ledger():
    assert module.INTEREST_S > LONGEST_RETRY_QUEUED_S


async def test_polls_of_a_queued_job_share_a_look_at_the_line(server, services, monkeypatch):
    job_id = await server.initiate()
    await server.status(job_id)
    asked: list[object] = []

    async def counted(*args):
        asked.append(args)

    monkeypatch.setattr(services.ledger.jobs, "place_in_line", counted)
    monkeypatch.setattr(services.ledger.jobs, "get", counted)
    assert {(await server.status(job_id)).status_code for _ in range(20)} == {200}
    assert asked == []


async def test_long_polls_are_live_connections(settings):
    async with serving(settings, live_connections_user=1) as server:
        job_id = await server.initiate()
        async with listening(server.http, JOB_EVENTS.format(job_id), token=server.token("anna")) as events:
            await events.next()
            answer = await asyncio.wait_for(server.get(f"/v1/download/status/{job_id}?wait=60"), 10)
            assert (answer.status_code, "retry-after" in answer.headers) == (200, True)
            hurried = await asyncio.wait_for(server.status(job_id, headers={"Prefer": "wait=60"}), 10)
            assert "preference-applied" not in hurried.headers
