"""The client's calls: retries, errors, following a job."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from haulier.client import ApiError, Client, JobCancelled, JobFailed, Patience, UnexpectedAnswer, Unreachable
from haulier.wire import JobStatus
from tests.loopback import JOB, Loopback, Reply, answer, completed, problem, refusing, status
from tests.receipts import KEYS, receipt, signed

INITIATE = "/v1/download/initiate"
STATUS = f"/v1/download/status/{JOB}"


class Sleeper:
    """Sleeps no time and remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def client_of(url: str, sleeper: Sleeper) -> Client:
    return Client(url, token="secret-token", sleep=sleeper, rng=Random(1), patience=Patience(tries=4))


async def test_initiate_sends_the_token_and_joins_under_a_key_of_its_own(server: Loopback, sleeper: Sleeper) -> None:
    server.on("POST", INITIATE, answer(status()), answer(status()))
    async with client_of(server.url, sleeper) as client:
        job = await client.initiate(70_000)
        await client.initiate(70_000)
    assert (job.job_id, job.status) == (JOB, "queued")
    assert msgspec.json.decode(server.seen[0].body) == {"file_id": 70_000}
    assert server.seen[0].headers["authorization"] == "Bearer secret-token"
    first, second = [seen.headers for seen in server.seen]
    assert first["idempotency-key"] != second["idempotency-key"]
    assert first["prefer"] == second["prefer"] == "join"


async def test_a_receipt_is_asked_for_with_the_token_and_its_keys_without(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", f"/v1/download/receipt/{JOB}", Reply(200, signed()))
    server.on("GET", "/v1/receipt-keys", Reply(200, msgspec.json.encode(KEYS)))
    async with client_of(server.url, sleeper) as client:
        assert (await client.receipt(JOB)).receipt == receipt()
        assert await client.receipt_keys() == KEYS
        with pytest.raises(ValueError, match="UUID"):
            await client.receipt("../jobs")
    assert ["authorization" in seen.headers for seen in server.seen] == [True, False]


async def test_several_files_are_one_job(server: Loopback, sleeper: Sleeper) -> None:
    server.on("POST", INITIATE, answer(status(file_id=None, file_ids=[70_000, 70_001])))
    async with client_of(server.url, sleeper) as client:
        job = await client.initiate([70_000, 70_001], idempotency_key="k")
    assert job.file_ids == (70_000, 70_001)
    assert server.seen[0].headers["idempotency-key"] == "k"


async def test_a_token_function_is_asked_before_each_request(server: Loopback, sleeper: Sleeper) -> None:
    tokens = iter(["one", "two"])
    server.on("GET", STATUS, answer(status()))
    async with Client(server.url, token=lambda: next(tokens), sleep=sleeper) as client:
        await client.status(JOB)
        await client.status(JOB)
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer one", "Bearer two"]


async def test_a_503_is_tried_again_after_retry_after(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, problem(503, "ledger_unavailable", Retry_After="7"), answer(status()))
    async with client_of(server.url, sleeper) as client:
        assert (await client.status(JOB)).status == "queued"
    assert len(sleeper.slept) == 1
    assert 7 <= sleeper.slept[0] <= 7.5


async def test_a_restarting_api_only_pauses_the_client(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, Reply(502), Reply(200, b"{", {"Content-Length": "99"}), answer(status()))
    async with client_of(server.url, sleeper) as client:
        assert (await client.status(JOB)).status == "queued"
    assert len(sleeper.slept) == 2


async def test_patience_ends_with_the_api_s_own_words(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, problem(503, "engine_unavailable", detail="Try later."))
    async with client_of(server.url, sleeper) as client:
        with pytest.raises(ApiError, match="Try later") as caught:
            await client.status(JOB)
    assert (caught.value.code, caught.value.status, caught.value.request_id) == ("engine_unavailable", 503, "r-1")
    assert len(server.seen) == 4


async def test_a_used_up_quota_is_not_waited_for(server: Loopback, sleeper: Sleeper) -> None:
    server.on("POST", INITIATE, problem(429, "quota_exceeded", Retry_After="40000"))
    async with client_of(server.url, sleeper) as client:
        with pytest.raises(ApiError) as caught:
            await client.initiate(70_000)
    assert caught.value.retry_after_s == 40_000
    assert sleeper.slept == []


async def test_a_refusal_is_not_repeated(server: Loopback, sleeper: Sleeper) -> None:
    async with client_of(server.url, sleeper) as client:
        with pytest.raises(ApiError, match="No"):
            await client.cancel(JOB)
    assert len(server.seen) == 1


async def test_an_address_that_never_answered_is_given_up_early(sleeper: Sleeper) -> None:
    with refusing() as url:
        async with client_of(url, sleeper) as client:
            with pytest.raises(Unreachable, match="Is it running"):
                await client.jobs()
    assert len(sleeper.slept) == 2


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        (INITIATE, lambda client, **key: client.initiate(70_000, **key)),
        (f"/v1/download/retry/{JOB}", lambda client, **key: client.retry(JOB, **key)),
    ],
)
async def test_a_request_whose_answer_is_lost_is_sent_again_under_its_key(
    path: str, ask: Callable[..., Awaitable[JobStatus]], server: Loopback, sleeper: Sleeper
) -> None:
    lost = Reply(200, b"{", {"Content-Length": "99"})
    server.on("POST", path, lost, answer(status()), lost, answer(status()))
    async with client_of(server.url, sleeper) as client:
        assert (await ask(client)).job_id == (await ask(client, idempotency_key="mine")).job_id == JOB
    first, again, *mine = [seen.headers["idempotency-key"] for seen in server.seen]
    assert first == again
    assert mine == ["mine", "mine"]
    assert [seen.headers.get("prefer") for seen in server.seen] == ["join", "join", None, None]


async def test_a_test_delivery_whose_answer_is_lost_is_not_asked_for_again(server: Loopback, sleeper: Sleeper) -> None:
    server.on("POST", f"/v1/channels/{JOB}/test", Reply(200, b"{", {"Content-Length": "99"}))
    async with client_of(server.url, sleeper) as client:
        with pytest.raises(Unreachable):
            await client.channels.test(JOB)
    assert len(server.seen) == 1


async def test_another_program_at_the_address_is_named(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", "/v1/download/jobs", Reply(200, b"<html>"))
    async with client_of(server.url, sleeper) as client:
        with pytest.raises(UnexpectedAnswer, match="Is the address right"):
            await client.jobs()


async def test_a_job_id_that_is_none_never_becomes_a_path(sleeper: Sleeper) -> None:
    async with client_of("http://127.0.0.1:9", sleeper) as client:
        with pytest.raises(ValueError, match="is no id"):
            await client.status("../../health")


async def test_what_is_no_id_is_told_without_what_it_holds(sleeper: Sleeper) -> None:
    job = msgspec.convert(completed(download_url="http://store/x?signature=secret"), JobStatus)
    wrong: Any = job
    async with client_of("http://127.0.0.1:9", sleeper) as client:
        with pytest.raises(TypeError, match="an id is text, not JobStatus") as caught:
            await client.wait(wrong)
        assert "secret" not in str(caught.value)
        with pytest.raises(ValueError, match="'70000' is no id: ids are UUIDs, files have numbers"):
            await client.download("70000")


@pytest.mark.parametrize("wanted", [70_000.0, None, True, b"7", {70_000}])
async def test_what_is_no_file_is_told(sleeper: Sleeper, wanted: Any) -> None:
    async with client_of("http://127.0.0.1:9", sleeper) as client:
        with pytest.raises(TypeError, match=f"several as a list of them, not {type(wanted).__name__}"):
            await client.initiate(wanted)


async def test_one_channel_is_no_list_of_channels(sleeper: Sleeper) -> None:
    async with client_of("http://127.0.0.1:9", sleeper) as client:
        number: Any = 5
        for given in (JOB, number):
            for ask in (client.initiate(70_000, notify=given), client.batches.initiate([70_000], notify=given)):
                with pytest.raises(TypeError, match="notify is a list"):
                    await ask


@pytest.mark.parametrize("connections", [0, -1, True, "4", 2.5, None])
async def test_how_many_connections_is_a_number_from_1(sleeper: Sleeper, connections: Any) -> None:
    async with client_of("http://127.0.0.1:9", sleeper) as client:
        with pytest.raises(ValueError, match="connections is a number from 1"):
            await client.download(70_000, connections=connections)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "ftp://x",
        "http://x:99999",
        "http://x:0",
        "http://x y",
        "http://[::1",
        "http://u:p@x",
        "http://x?a=b",
        "http://300.1.1.1",
        "http://\u2603.net",
        "http://[v1.a]",
        "http://x\x00",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="url must"):
        Client(url, token="t")


def test_what_is_no_token_is_refused_at_once() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="token is text, or a function"):
        Client("http://127.0.0.1:9", token=nothing)


@pytest.mark.parametrize("key", ["", "a key", "schlüssel", "k" * 201, "k\n"])
async def test_a_key_that_no_header_can_carry_is_refused_before_it_is_sent(sleeper: Sleeper, key: str) -> None:
    async with client_of("http://127.0.0.1:9", sleeper) as client:
        for ask in (client.initiate(70_000, idempotency_key=key), client.batches.initiate([1], idempotency_key=key)):
            with pytest.raises(ValueError, match="1 to 200 visible ASCII characters"):
                await ask


async def test_follow_long_polls_from_the_version_it_has(server: Loopback, sleeper: Sleeper) -> None:
    server.on(
        "GET",
        STATUS,
        answer(status(), ETag='"1"', Retry_After="2"),
        answer(status(status="processing", version=2), ETag='"2"', Retry_After="2"),
        answer(completed(), ETag='"9"'),
    )
    async with client_of(server.url, sleeper) as client:
        names = [job.status async for job in client.follow(JOB, stream=False)]
    assert names == ["queued", "processing", "completed"]
    assert [seen.query.get("wait") for seen in server.seen] == [None, "10", "25"]
    assert [seen.headers.get("if-none-match") for seen in server.seen] == [None, '"1"', '"2"']
    assert sleeper.slept == []


async def test_wait_answers_the_last_status_or_raises_for_a_job_that_ended_otherwise(
    server: Loopback, sleeper: Sleeper
) -> None:
    server.on("GET", STATUS, answer(status(), ETag='"1"'), answer(completed(), ETag='"2"'))
    seen: list[str] = []
    async with client_of(server.url, sleeper) as client:
        last = await client.wait(JOB, on_status=lambda job: seen.append(job.status))
        assert (last.status, seen) == ("completed", ["queued", "completed"])
        for ending, error in (("failed", JobFailed), ("cancelled", JobCancelled)):
            server.on("GET", STATUS, answer(status(status=ending, version=9), ETag='"9"'))
            with pytest.raises(error) as caught:
                await client.wait(JOB)
            assert caught.value.job.status == ending


async def test_follow_polls_where_nobody_holds_the_request(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, answer(status(), ETag='"1"'), Reply(304, b"", {"Retry-After": "5"}), answer(completed()))
    async with client_of(server.url, sleeper) as client:
        names = [job.status async for job in client.follow(JOB, stream=False)]
    assert names == ["queued", "completed"]
    assert sleeper.slept == [5]


async def test_follow_stops_long_polling_behind_a_proxy_that_cuts_it_off(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, answer(status(), ETag='"1"'), Reply(504), answer(completed()))
    async with client_of(server.url, sleeper) as client:
        assert [job.status async for job in client.follow(JOB, stream=False)] == ["queued", "completed"]
    assert [seen.query.get("wait") for seen in server.seen] == [None, "10", None]


async def test_an_older_client_reads_a_newer_api(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, answer(status(colour="green")))
    async with client_of(server.url, sleeper) as client:
        assert (await client.status(JOB)).job_id == JOB


async def test_follow_tells_a_new_place_in_the_queue(server: Loopback, sleeper: Sleeper) -> None:
    server.on(
        "GET",
        STATUS,
        answer(status(queue_position=2), ETag='"1"'),
        Reply(304, b"", {"Retry-After": "3"}),
        answer(status(queue_position=1), ETag='"1"'),
        answer(completed()),
    )
    async with client_of(server.url, sleeper) as client:
        places = [job.queue_position async for job in client.follow(JOB, stream=False)]
    assert places == [2, 1, UNSET]
    assert [seen.headers.get("if-none-match") for seen in server.seen] == [None, '"1"', None, '"1"']


async def test_follow_without_an_etag_does_not_rush(server: Loopback, sleeper: Sleeper) -> None:
    server.on("GET", STATUS, answer(status()), answer(status(version=2)), answer(completed()))
    async with client_of(server.url, sleeper) as client:
        assert len([job async for job in client.follow(JOB, stream=False)]) == 3
    assert sleeper.slept == [2, 2]


async def test_params_and_allow_missing_are_sent_when_given(server: Loopback, sleeper: Sleeper) -> None:
    server.on("POST", INITIATE, answer(status(params={"columns": 6})))
    server.on("POST", "/v1/download/check", answer({"file_id": 70_000, "available": True}))
    async with client_of(server.url, sleeper) as client:
        job = await client.initiate(70_000, params={"columns": 6}, allow_missing=True)
        await client.check(70_000, params={"columns": 6})
    assert job.params == {"columns": 6}
    sent = [msgspec.json.decode(seen.body) for seen in server.seen]
    assert sent == [
        {"file_id": 70_000, "params": {"columns": 6}, "allow_missing": True},
        {"file_id": 70_000, "params": {"columns": 6}},
    ]
