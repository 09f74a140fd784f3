"""How a runner ends: soon, whatever Redis and its handlers do, and without leaving anything behind."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from haulier.embedded.ports import free_port
from haulier.engine import Depth, Engine, Runner, runner
from haulier.engine.contact import STARTING
from haulier.engine.runner import SETTLE_S
from haulier.settings import Secret
from tests.integration.engine_steps import Book, Look, Valkey, handed, opened, runner_of
from tests.waiting import until

PREFIX = "{haulier}"


@pytest.fixture
def engine_url(valkey):
    return valkey.url


@pytest.fixture
def redis_prefix():
    return PREFIX


async def test_a_closed_runner_and_engine_leave_no_task_file_or_connection(valkey, run):
    async with opened(valkey.url) as client:
        await client.ping()
        before = _held()
        book = Book()
        async with Engine.open(valkey.url, prefix=PREFIX) as engine, run(book):
            await engine.hand_over([handed() for _ in range(20)])
            await until(lambda: len(book.finished) == 20)
            book.hold.clear()
            await engine.hand_over([handed()])
            await until(lambda: len(book.started) == 21)
        await until(lambda: _no_more_than(before))
        await until(lambda: _connections(client, 1))


async def test_a_runner_that_saw_an_outage_leaves_no_task_file_or_connection(valkey, run):
    before = _held()
    book = Book()
    async with Engine.open(valkey.url, prefix=PREFIX) as engine, run(book) as runner:
        await until(lambda: runner.healthy)
        await valkey.kill()
        await until(lambda: not runner.healthy)
        await valkey.start()
        await engine.hand_over([handed()])
        await until(lambda: book.finished)
    await until(lambda: _no_more_than(before))
    async with opened(valkey.url) as client:
        await until(lambda: _connections(client, 1))


async def test_a_runner_that_leaves_during_an_outage_leaves_no_task_or_file(valkey, engine, run):
    await engine.ping()
    book, before = Book(hold=True), _held()
    async with run(book):
        await engine.hand_over([handed(), handed()])
        await until(lambda: len(book.started) == 2)
        valkey.signal(signal.SIGSTOP)
    await until(lambda: _no_more_than(before))


async def test_leaving_while_redis_is_away_ends_within_seconds(valkey, engine, run):
    book = Book(hold=True)
    async with run(book) as runner:
        await engine.hand_over([handed()])
        await until(lambda: book.started)
        await valkey.kill()
        await until(lambda: not runner.healthy)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert len(book.cancelled) == 1


async def test_leaving_while_redis_hangs_ends_within_seconds(valkey, engine, run):
    book = Book(hold=True)
    async with run(book):
        await engine.hand_over([handed()])
        await until(lambda: book.started)
        valkey.signal(signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < SETTLE_S + 4
    assert len(book.cancelled) == 1


async def test_a_runner_that_never_reached_redis_closes_at_once():
    url = Secret(f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    async with Runner.open(url, prefix=PREFIX, name="test", slots=2, lease_s=15, handle=Book()) as runner:
        await until(lambda: "ConnectionError" in runner.state.error)
    assert time.monotonic() - began < 5


async def test_a_runner_stopped_during_an_outage_takes_nothing_after_it_and_ends_what_it_has(valkey, engine, run):
    running, later, book = handed(), handed(), Book(hold=True)
    async with run(book, lease_s=30) as runner:
        await engine.hand_over([running])
        await until(lambda: book.started == [running])
        valkey.signal(signal.SIGSTOP)
        await runner.stop_taking()
        valkey.signal(signal.SIGCONT)
        await engine.hand_over([later])
        book.hold.set()
        await until(lambda: _depth(engine, Depth(waiting=1, active=0)))
        assert (runner.healthy, book.finished) == (False, [running])
    async with opened(valkey.url) as client:
        assert await Look(client, prefix=PREFIX).state(running) == "completed"
        assert await Look(client, prefix=PREFIX).state(later) == "wait"


async def test_a_runner_stopped_while_redis_is_down_completes_its_entry_once_redis_is_back(valkey, engine, run):
    running, later, book = handed(), handed(), Book(hold=True)
    async with run(book, lease_s=30) as runner:
        await engine.hand_over([running])
        await until(lambda: book.started == [running])
        await valkey.kill()
        await until(lambda: not runner.healthy)
        await runner.stop_taking()
        await valkey.start()
        await engine.hand_over([later])
        book.hold.set()
        await until(lambda: _depth(engine, Depth(waiting=1, active=0)))
    assert book.started == [running]


async def test_a_runner_stopped_before_redis_came_never_takes_anything(tmp_path):
    valkey, book = Valkey(tmp_path / "late"), Book()
    try:
        async with runner_of(valkey, book) as stopped, Engine.open(valkey.url, prefix=PREFIX) as engine:
            await until(lambda: stopped.state.error != STARTING)
            await stopped.stop_taking()
            await valkey.start()
            await engine.hand_over([handed()])
            await asyncio.sleep(3 * runner.RESTART_S[0])  # the supervisor would have looked again by then
            assert await engine.depth() == Depth(waiting=1, active=0)
        assert book.started == []
    finally:
        await valkey.close()


async def test_a_runner_stopped_while_it_asks_redis_for_the_first_time_never_takes_anything(valkey, engine, run):
    await engine.hand_over([handed()])
    book = Book()
    valkey.signal(signal.SIGSTOP)
    async with run(book) as stopped:
        await asyncio.sleep(0.2)  # it has connected, and waits for its first answer
        await stopped.stop_taking()
        valkey.signal(signal.SIGCONT)
        await asyncio.sleep(0.3)  # a runner that takes jobs would have taken it within milliseconds
        assert await engine.depth() == Depth(waiting=1, active=0)
    assert book.started == []


async def test_a_handler_that_ignores_its_first_cancel_is_cancelled_again(valkey, engine, monkeypatch, run):
    monkeypatch.setattr(runner, "CANCEL_AGAIN_S", 0.1)
    cancels, started = [], asyncio.Event()

    async def handle(_):
        started.set()
        while len(cancels) < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancels.append(time.monotonic())

    async with run(handle):
        await engine.hand_over([handed()])
        await started.wait()
    assert len(cancels) == 3
    # It ended by itself in the end, so its entry is done and does not come back.
    assert await engine.depth() == Depth(waiting=0, active=0)


async def test_a_handler_is_given_time_to_tidy_up_before_it_is_cancelled_again(valkey, engine, run):
    tidied, started = [], asyncio.Event()

    async def handle(job):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)
            tidied.append(job)

    job = handed()
    async with run(handle):
        await engine.hand_over([job])
        await started.wait()
    assert tidied == [job]
    assert await engine.depth() == Depth(waiting=1, active=0)


def _held() -> tuple[int, int]:
    """This process's tasks and open files; sockets are files."""
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))


def _no_more_than(before: tuple[int, int]) -> bool:
    """What earlier tests of this process had still open may have closed meanwhile."""
    return all(now <= then for now, then in zip(_held(), before, strict=True))


async def _connections(client, number: int) -> bool:
    return len(await client.client_list()) == number


async def _depth(engine: Engine, depth: Depth) -> bool:
    return await engine.depth() == depth
