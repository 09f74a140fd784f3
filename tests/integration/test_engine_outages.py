"""Gap 7: BullMQ's worker does not come back after outages by itself. Ours does, without a restart of the process.

Each test has a Valkey of its own. Waits on a real clock are outages; they must outlast the timeouts they are about.
"""

import asyncio
import signal

import pytest

from haulier.engine import Engine, runner
from tests.integration.engine_steps import Book, Look, Valkey, handed, runner_of, taken
from tests.waiting import until

PREFIX = "{haulier}"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def engine_url(valkey):
    return valkey.url


@pytest.fixture
def redis_prefix():
    return PREFIX


@pytest.mark.parametrize("keeps_data", [True, False])
async def test_gap_7_work_resumes_by_itself_after_redis_was_killed(valkey, engine, keeps_data, run):
    book = Book()
    async with run(book) as runner:
        await engine.hand_over([handed()])
        await until(lambda: book.finished)
        await valkey.kill()
        await until(lambda: not runner.healthy)
        assert "Error" in runner.state.error
        await asyncio.sleep(7)  # longer than each timeout: blocking 2 s, connecting 1.5 s, socket 5 s
        if not keeps_data:
            valkey.forget()
        await valkey.start()
        job = handed()
        await engine.hand_over([job])
        assert await until(lambda: book.finished[-1] == job) < 3
        assert runner.healthy


async def test_gap_7_what_waited_before_the_kill_is_run_after_it(valkey, engine, run):
    first, second, book = handed(), handed(), Book(hold=True)
    async with run(book, slots=1):
        await engine.hand_over([first, second])
        await until(lambda: book.started == [first])
        await valkey.kill()
        book.hold.set()
        await until(lambda: book.finished == [first])
        await valkey.start()
        await until(lambda: second in book.finished, within_s=10)


async def test_gap_7_handlers_go_on_through_an_outage_and_their_entries_are_completed(valkey, engine, look, run):
    job, book = handed(), Book(hold=True)
    async with run(book, lease_s=30):
        await engine.hand_over([job])
        await until(lambda: book.started == [job])
        await valkey.kill()
        await asyncio.sleep(1)
        await valkey.start()
        assert not book.cancelled
        book.hold.set()
        await until(lambda: _is(look, job, "completed"))
    assert book.started == [job]


async def test_gap_7_a_stopped_server_is_noticed_and_work_resumes_within_seconds_of_its_going_on(valkey, engine, run):
    book = Book()
    async with run(book) as runner:
        await until(lambda: runner.healthy)
        valkey.signal(signal.SIGSTOP)
        await until(lambda: not runner.healthy)  # after the socket timeout of 5 s
        valkey.signal(signal.SIGCONT)
        job = handed()
        await engine.hand_over([job])
        assert await until(lambda: book.finished == [job]) < 5


async def test_gap_7_jobs_that_a_stopped_server_gave_to_fetches_long_given_up_are_run_soon(valkey, engine, look, run):
    first, *others = jobs = [handed() for _ in range(3)]
    book = Book(hold=True)
    async with run(book, slots=1, lease_s=600) as runner:
        await engine.hand_over(jobs)
        await until(lambda: book.started == [first])
        worker = runner._worker
        valkey.signal(signal.SIGSTOP)
        # On connections that are open; they give up after the socket timeout of 5 s, the server does not.
        hung = [asyncio.create_task(worker._fetched(f"{worker.id}:hung-{number}")) for number in range(2)]
        await asyncio.wait(hung)
        valkey.signal(signal.SIGCONT)
        await until(lambda: _is(look, others[0], "active"))
        book.hold.set()
        assert await until(lambda: len(book.finished) == 3) < 5
        assert sorted(map(str, book.started)) == sorted(map(str, jobs))


async def test_gap_7_a_runner_opens_without_redis_and_starts_when_it_comes(tmp_path):
    valkey, book, job = Valkey(tmp_path / "late"), Book(), handed()
    try:
        async with runner_of(valkey, book) as runner, Engine.open(valkey.url, prefix=PREFIX) as engine:
            await asyncio.sleep(0.5)
            assert runner.healthy is False
            await valkey.start()
            await engine.hand_over([job])
            assert await until(lambda: book.finished == [job]) < 5
    finally:
        await valkey.close()


async def test_gap_7_a_loop_that_ended_is_started_again_and_running_handlers_stay(valkey, engine, look, run):
    running, later, book = handed(), handed(), Book(hold=True)
    async with run(book, lease_s=4) as runner:
        await engine.hand_over([running])
        await until(lambda: book.started == [running])
        first = runner._worker
        for task in list(first.processing):
            task.cancel()  # what a CancelledError out of a processor does to BullMQ's loop
        await until(lambda: runner._worker not in (first, None))
        await engine.hand_over([later])
        await until(lambda: later in book.started)
        # The old lock runs out, the entry comes back within 7 s, and joins its handler.
        await until(lambda: taken(runner, running), within_s=20)
        book.hold.set()
        await until(lambda: _is(look, running, "completed"))
    assert not book.cancelled
    assert book.started == [running, later]


async def test_gap_7_a_watchdog_restarts_a_loop_that_is_stuck(valkey, engine, monkeypatch, run):
    monkeypatch.setattr(runner, "STUCK_S", 0.5)
    monkeypatch.setattr(runner, "LOOK_S", 0.1)
    book, job = Book(), handed()
    async with run(book) as running:
        await until(lambda: running.healthy)
        stuck = running._worker
        stuck.backend.waitForJob = lambda _: asyncio.Event().wait()
        await until(lambda: running._worker not in (stuck, None))
        await engine.hand_over([job])
        await until(lambda: book.finished == [job])


async def test_a_busy_runner_is_not_taken_for_stuck(valkey, engine, monkeypatch, run):
    monkeypatch.setattr(runner, "LOOK_S", 0.05)
    book = Book(hold=True)
    async with run(book, slots=1) as running:
        await engine.hand_over([handed()])
        await until(lambda: book.started)
        monkeypatch.setattr(runner, "STUCK_S", 0.3)  # not before it is busy
        worker = running._worker
        await asyncio.sleep(0.8)
        assert running._worker is worker
        book.hold.set()


async def _is(look: Look, job, state: str) -> bool:
    return await look.state(job) == state
