"""Dependencies that accept connections and never answer: the API still answers, soon, and never with a lie."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import msgspec
import pytest

from haulier.api.patience import ANSWER_S
from haulier.settings import Secret
from tests.faults.proxy import proxy_before

LONGEST_S = 2.0
TURN_S = 0.02
NOBODYS = "0190a6c0-0000-7000-8000-000000000001"
CALLS = (
    ("GET", "/health", None),
    ("GET", "/health/ready", None),
    ("GET", "/v1/download/jobs", None),
    ("POST", "/v1/download/initiate", {"file_id": 70_001}),
    ("POST", "/v1/download/check", {"file_id": 70_000}),
    ("GET", "/v1/download/status/{job_id}", None),
    ("GET", "/v1/download/result/{job_id}", None),
    ("GET", "/v1/download/file/{job_id}", None),
    ("POST", "/v1/download/retry/{job_id}", None),
    ("DELETE", "/v1/download/cancel/{job_id}", None),
)


@pytest.fixture
def answer_s():
    """As it is outside tests."""
    return ANSWER_S


@pytest.fixture
async def database(database_url):
    async with proxy_before(database_url.reveal()) as link:
        yield link


@pytest.fixture
async def redis(valkey_url):
    async with proxy_before(valkey_url) as link:
        yield link


@pytest.fixture
def settings(settings, database, redis):
    """The test's installation, reached through proxies."""
    return msgspec.structs.replace(
        settings,
        database_url=Secret(database.url_for(settings.database_url.reveal())),
        redis_url=Secret(redis.url_for(settings.redis_url.reveal())),
    )


@pytest.fixture
async def job_id(api):
    """A queued job that the API has told of."""
    job_id = await api.initiate()
    await api.status(job_id)
    return job_id


@pytest.fixture
def passed():
    """`passed()`: seconds that this process had, without those for which the machine stood still.

    Counted by a thread of its own: a loop that hangs has had its time.
    """
    passed_s, over = 0.0, threading.Event()

    def count():
        nonlocal passed_s
        while not over.is_set():
            began = time.monotonic()
            time.sleep(TURN_S)
            passed_s += min(time.monotonic() - began, 2 * TURN_S)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(count)
        yield lambda: passed_s
        over.set()


@asynccontextmanager
async def silent(*links):
    for link in links:
        link.blackhole()
    yield
    for link in links:
        link.heal()


async def answers(api, job_id, passed=time.monotonic):
    """{path: (status, seconds)} of all calls, made at once."""

    async def one(method, path, body):
        began = passed()
        answer = await api.call(method, path.format(job_id=job_id), json=body)
        return answer.status_code, passed() - began

    found = await asyncio.gather(*(one(*call) for call in CALLS))
    return {f"{method} {path}": each for (method, path, _), each in zip(CALLS, found, strict=True)}


@pytest.mark.parametrize("silenced", [("database",), ("redis",), ("database", "redis")], ids="+".join)
async def test_every_call_is_answered_within_two_seconds(api, job_id, database, redis, passed, silenced):
    links = {"database": database, "redis": redis}
    async with silent(*(links[name] for name in silenced)):
        first = await answers(api, job_id, passed)
        second = await answers(api, job_id, passed)
    late = {call: took_s for found in (first, second) for call, (_, took_s) in found.items() if took_s > LONGEST_S}
    assert not late


async def test_who_knows_more_and_who_may_not_know_wait_no_longer(api, job_id, database, passed):
    newer = {"headers": {"If-None-Match": '"9-0"'}}
    async with silent(database):
        for ask in (api.status(job_id, **newer), api.status(job_id, user="ben"), api.status(NOBODYS, user="ben")):
            began = passed()
            answer = await ask
            assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
            assert passed() - began < LONGEST_S


async def test_a_silent_ledger_accepts_nothing_and_known_jobs_are_told(api, job_id, database):
    async with silent(database):
        found = await answers(api, job_id)
        assert found["POST /v1/download/initiate"][0] == 503
        assert found["GET /v1/download/status/{job_id}"][0] == 200
        assert found["DELETE /v1/download/cancel/{job_id}"][0] == 503


async def test_while_the_ledger_is_silent_only_one_call_at_a_time_waits_for_it(api, job_id, database):
    async with silent(database):
        await api.post("/v1/download/initiate", {"file_id": 70_001})
        before = database.connections
        found = await asyncio.gather(*(api.post("/v1/download/initiate", {"file_id": 70_001 + n}) for n in range(30)))
        assert {answer.status_code for answer in found} == {503}
        assert database.connections - before <= 2  # this one, and the estimates' in the background


async def test_a_silent_redis_delays_no_acceptance(api, job_id, redis):
    async with silent(redis):
        found = await answers(api, job_id)
        assert found["POST /v1/download/initiate"][0] == 200
        assert found["GET /v1/download/status/{job_id}"][0] == 200
        assert found["DELETE /v1/download/cancel/{job_id}"][0] == 200


async def test_the_ledger_is_used_again_as_soon_as_it_answers(api, job_id, database):
    async with silent(database):
        assert (await api.post("/v1/download/initiate", {"file_id": 70_001})).status_code == 503
    assert (await api.post("/v1/download/initiate", {"file_id": 70_001})).status_code == 200
