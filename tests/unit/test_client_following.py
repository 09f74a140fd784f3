"""The streams of events: what a follower is told when they do not come, and what cannot be read."""

from collections.abc import AsyncGenerator
from random import Random
from typing import Any

import msgspec
import pytest

from haulier.client import ApiError, Client, Patience, UnexpectedAnswer, Unreachable
from haulier.client.following import Streams
from tests.clocks import HandClock
from tests.loopback import JOB, Loopback, Reply, Seen, answer, completed, problem, refusing, status

ALL = "/v1/download/events"
ONE = f"{ALL}/{JOB}"
STATUS = f"/v1/download/status/{JOB}"
EVENTS = {"Content-Type": "text/event-stream"}
PACKED = Reply(200, b"\xff" * 40, EVENTS | {"Content-Encoding": "gzip"})  # says so, and is not


class Pauses:
    """Sleeps no time; remembers what was said of each pause, and how long it was."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float]] = []
        self.slept: list[float] = []

    def told(self, why: str, wait_s: float) -> None:
        self.said.append((why, wait_s))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(server: Loopback, pauses: Pauses) -> AsyncGenerator[Client]:
    patience = Patience(tries=5, retry_after_max_s=30)
    made = Client(server.url, token="t", patience=patience, on_wait=pauses.told, sleep=pauses.sleep, rng=Random(1))
    async with made as client:
        yield client


def stream(*jobs: Any) -> Reply:
    """Events of these jobs (bytes as they are), and the end of the snapshot."""
    parts = [job if isinstance(job, bytes) else msgspec.json.encode(job) for job in jobs]
    told = b"".join(b"id: 5\nevent: status\ndata: %b\n\n" % part for part in parts)
    return Reply(200, told + b"id: 5\nevent: ready\ndata: {}\n\n", EVENTS)


async def first_of_all(client: Client) -> Any:
    changes = client.follow_all()
    try:
        return await anext(changes)
    finally:
        await changes.aclose()


async def test_a_stream_that_is_refused_for_now_is_asked_for_again_when_it_said(
    server: Loopback, client: Client, pauses: Pauses
) -> None:
    server.on("GET", ALL, problem(503, "draining", detail="It is being updated.", Retry_After="20"), stream(status()))
    assert (await first_of_all(client)).job_id == JOB
    assert [why for why, _ in pauses.said] == ["It is being updated."]
    assert 20 <= pauses.slept[0] <= 21


async def test_what_a_proxy_says_is_told(server: Loopback, client: Client, pauses: Pauses) -> None:
    server.on("GET", ALL, Reply(502, b"<html>"), stream(status()))
    await first_of_all(client)
    assert "answered 502: what stands in front of the API cannot reach it" in pauses.said[0][0]


async def test_a_stream_that_ends_is_no_silent_api(server: Loopback, client: Client, pauses: Pauses) -> None:
    server.on("GET", ALL, stream(), stream(status(version=2)))
    told = [job async for job in _until_job(client)]
    assert told[-1].version == 2
    assert "the stream of events ended" in pauses.said[0][0]


async def _until_job(client: Client) -> AsyncGenerator[Any]:
    async for job in client.follow_all():
        yield job
        if job is not None:
            return


async def test_a_silent_api_is_given_up_when_patience_ends(client: Client, server: Loopback) -> None:
    with refusing() as url:
        async with Client(url, token="t", patience=Patience(tries=3, first_s=0.001)) as lost:
            with pytest.raises(Unreachable):
                await first_of_all(lost)


@pytest.mark.parametrize(
    ("code", "name"), [(404, "not_found"), (405, "method_not_allowed"), (401, "unauthenticated"), (403, "forbidden")]
)
async def test_an_api_without_such_a_stream_is_not_asked_for_ever(
    server: Loopback, client: Client, code: int, name: str
) -> None:
    server.on("GET", ALL, problem(code, name))
    with pytest.raises(ApiError) as caught:
        await first_of_all(client)
    assert caught.value.code == name
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [stream(b"{"), stream(b"[]"), Reply(404, b"<html>"), PACKED])
async def test_events_that_are_none_are_an_unexpected_answer(server: Loopback, client: Client, reply: Reply) -> None:
    server.on("GET", ALL, reply)
    with pytest.raises(UnexpectedAnswer):
        await first_of_all(client)


@pytest.mark.parametrize(
    "reply",
    [
        stream(b"{"),
        stream(status(), b"{}"),
        PACKED,
        problem(404, "not_found"),
        problem(503, "too_many_streams"),
        Reply(502),
    ],
)
async def test_a_job_whose_stream_cannot_be_read_is_polled(server: Loopback, client: Client, reply: Reply) -> None:
    server.on("GET", ONE, reply)
    server.on("GET", STATUS, answer(completed()))
    assert [job.status async for job in client.follow(JOB)][-1] == "completed"


async def test_a_job_that_is_not_there_is_raised_from_its_stream(server: Loopback, client: Client) -> None:
    server.on("GET", ONE, problem(404, "job_not_found"))
    with pytest.raises(ApiError, match="No"):
        _ = [job async for job in client.follow(JOB)]
    assert len(server.seen) == 1


async def test_an_end_that_the_client_has_not_seen_is_looked_up(server: Loopback, client: Client) -> None:
    server.on("GET", ONE, Reply(204))
    server.on("GET", STATUS, answer(completed()))
    assert [job.status async for job in client.follow(JOB)] == ["completed"]


async def test_looks_that_something_cuts_off_are_not_held_any_more(server: Loopback, client: Client) -> None:
    looks: list[bool] = []

    def look(seen: Seen) -> Reply:
        looks.append("wait" in seen.query)
        if looks[-1]:
            raise ConnectionResetError
        return answer(completed() if len(looks) == 6 else status(status="processing", version=2), ETag='"2"')

    server.on("GET", STATUS, look)
    assert [job.status async for job in client.follow(JOB, stream=False)] == ["processing", "completed"]
    assert looks == [False, True, False, True, False, False]


async def test_a_stream_that_falls_silent_twice_in_a_row_is_left_for_a_while() -> None:
    streams = Streams(HandClock())
    for _ in range(3):  # what came in between was no silence
        streams.fell_silent()
        streams.worked()
        streams.ended()
    assert streams.worth_a_try
    streams.fell_silent()
    streams.worked()
    streams.fell_silent()
    assert not streams.worth_a_try


async def test_all_jobs_go_on_from_the_cursor_and_what_was_not_told_again_is_looked_up(
    server: Loopback, client: Client
) -> None:
    gone, queued = (f"0190a6c0-0000-7000-8000-00000000000{number}" for number in (2, 3))
    server.on(
        "GET",
        ALL,
        stream(status(), status(job_id=gone), status(job_id=queued)),
        stream(status(job_id=queued)),
        stream(),
    )
    server.on("GET", STATUS, answer(completed()))
    server.on("GET", f"/v1/download/status/{gone}", problem(404, "job_not_found"))
    server.on("GET", f"/v1/download/status/{queued}", answer(status(job_id=queued)))
    readies, told = 0, list[tuple[str, str]]()
    changes = client.follow_all()
    while readies < 3 or len(told) < 6:
        job = await anext(changes)
        readies += job is None
        told += [] if job is None else [(job.job_id, job.status)]
    await changes.aclose()
    assert told[3:] == [(queued, "queued"), (JOB, "completed"), (queued, "queued")]
    assert [seen.headers.get("last-event-id") for seen in server.to(ALL)] == [None, "5", "5"]
    assert [len(server.to(f"/v1/download/status/{job_id}")) for job_id in (JOB, gone, queued)] == [1, 1, 1]


async def test_of_many_that_were_not_told_again_those_that_live_are_listed(server: Loopback, client: Client) -> None:
    ids = [f"0190a6c0-0000-7000-8000-0000000001{number:02}" for number in range(60)]
    over, living = ids[0], ids[1:]
    server.on("GET", ALL, stream(*(status(job_id=job_id) for job_id in ids)), stream())
    page = {"total": 59, "page": 1, "limit": 100}
    server.on(
        "GET",
        "/v1/download/jobs",
        answer(page | {"jobs": [status(job_id=each) for each in living[:30]], "next_cursor": "more"}),
        answer(page | {"jobs": [status(job_id=each) for each in living[30:40]], "next_cursor": None}),
        answer(page | {"jobs": [status(job_id=each) for each in living[40:]], "next_cursor": None}),
    )
    server.on("GET", f"/v1/download/status/{over}", answer(completed(job_id=over)))
    changes = client.follow_all()
    async for job in changes:
        if job is not None and job.status == "completed":
            break
    await changes.aclose()
    asked = [seen.query for seen in server.to("/v1/download/jobs")]
    assert [(each["status"], each.get("cursor")) for each in asked] == [
        ("queued", None),
        ("queued", "more"),
        ("processing", None),
    ]


async def test_a_held_look_that_is_refused_for_now_waits_as_it_is_told(
    server: Loopback, client: Client, pauses: Pauses
) -> None:
    working = answer(status(status="processing", version=2), ETag='"2"')
    server.on("GET", STATUS, working, problem(429, "rate_limited", Retry_After="7"), working, answer(completed()))
    assert [job.status async for job in client.follow(JOB, stream=False)] == ["processing", "completed"]
    assert [7 <= each <= 8.5 for each in pauses.slept][:1] == [True]
    assert ["wait" in seen.query for seen in server.to(STATUS)] == [False, True, True, True]
