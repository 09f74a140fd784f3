"""Without an answer of Redis every call of the engine says so soon, and nothing is done twice or half."""

import asyncio
import signal
import time

import pytest

from haulier.embedded.ports import free_port
from haulier.engine import Depth, Engine
from haulier.engine.queue import ANSWER_S
from haulier.errors import EngineUnavailable
from haulier.settings import Secret
from tests.integration.engine_steps import Valkey, handed, opened

SLACK_S = 2.5  # for a machine that stands still meanwhile


def test_two_seconds_are_promised():
    assert ANSWER_S <= 2


async def test_without_redis_every_call_says_so_within_two_seconds(redis_prefix):
    async with Engine.open(Secret(f"redis://127.0.0.1:{free_port()}/0"), prefix=redis_prefix) as engine:
        await _refuses_everything(engine)


async def test_a_redis_that_hangs_is_unavailable_within_two_seconds(tmp_path, redis_prefix):
    valkey = Valkey(tmp_path / "valkey")
    await valkey.start()
    try:
        async with Engine.open(valkey.url, prefix=redis_prefix) as engine:
            await engine.ping()
            valkey.signal(signal.SIGSTOP)
            began = time.monotonic()
            outcomes = await asyncio.gather(
                engine.hand_over([handed()]),
                engine.hand_over([handed(), handed()]),
                engine.present([handed()]),
                engine.remove(handed()),
                engine.depth(),
                engine.clean(),
                engine.ping(),
                return_exceptions=True,
            )
            assert time.monotonic() - began < ANSWER_S + SLACK_S
            assert [type(outcome) for outcome in outcomes] == [EngineUnavailable] * 7
            valkey.signal(signal.SIGCONT)
            await engine.ping()
    finally:
        await valkey.close()


async def test_a_hand_over_that_timed_out_is_one_entry_when_it_is_repeated(tmp_path, redis_prefix):
    valkey, job = Valkey(tmp_path / "valkey"), handed()
    await valkey.start()
    try:
        async with Engine.open(valkey.url, prefix=redis_prefix) as engine:
            await engine.ping()
            valkey.signal(signal.SIGSTOP)
            with pytest.raises(EngineUnavailable):
                await engine.hand_over([job])
            valkey.signal(signal.SIGCONT)
            await engine.hand_over([job])
            assert await engine.depth() == Depth(waiting=1, active=0)
    finally:
        await valkey.close()


async def test_a_full_redis_is_unavailable_and_takes_nothing_half(tmp_path, redis_prefix):
    valkey, jobs = Valkey(tmp_path / "valkey"), [handed(), handed()]
    await valkey.start()
    try:
        async with Engine.open(valkey.url, prefix=redis_prefix) as engine, opened(valkey.url) as client:
            await client.config_set("maxmemory", "1mb")
            with pytest.raises(EngineUnavailable):
                await engine.hand_over(jobs)
            await client.config_set("maxmemory", "0")
            assert await engine.present(jobs) == set()
            await engine.hand_over(jobs)
            assert await engine.depth() == Depth(waiting=2, active=0)
    finally:
        await valkey.close()


async def _refuses_everything(engine: Engine) -> None:
    job = handed()
    began = time.monotonic()
    for call in (
        lambda: engine.hand_over([job]),
        lambda: engine.present([job]),
        lambda: engine.remove(job),
        engine.depth,
        engine.clean,
        engine.ping,
    ):
        with pytest.raises(EngineUnavailable):
            await call()
    assert time.monotonic() - began < ANSWER_S + SLACK_S
