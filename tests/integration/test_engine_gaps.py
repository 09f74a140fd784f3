"""The known gaps of bullmq 3.4.4, each closed. Their numbers are those of docs/decisions/0006-bullmq.md.

Waits on a real clock are BullMQ's and Redis's own times (blocking, locks); each is as short as shows the fault.
Elsewhere: gap 2 in tests/unit/test_engine_entries.py, gap 6 in test_live.py and test_worker.py, gap 7 in
test_engine_outages.py, the rest of gap 10 in test_engine_cluster.py.
"""

import asyncio
import time

import pytest
import redis.asyncio

from haulier.engine import guarded
from haulier.engine.entries import COMPLETED_KEPT_S, FAILED_KEPT_S
from tests.integration.engine_steps import Book, Look, handed, taken
from tests.waiting import until

pytestmark = pytest.mark.timeout(60)


async def test_gap_1_an_idle_runner_picks_up_at_once_after_idle_seconds(engine, run, monkeypatch):
    monkeypatch.setattr(guarded, "BLOCK_S", 4)  # who only looks that often is told from who is woken
    book = Book()

    async def picked_up() -> float:
        job = handed()
        await engine.hand_over([job])
        return await until(lambda: job in book.started)

    async with run(book) as runner:
        await until(lambda: runner.healthy)
        well_since = runner.state.since
        # The fault came when an idle wait met redis-py's socket timeout of 5 s: be idle for longer than that.
        await asyncio.sleep(6.5)
        assert min([await picked_up() for _ in range(3)]) < 1  # the machine stands still at most once
        assert runner.state.since == well_since


async def test_gap_1_a_delayed_entry_does_not_lift_the_wait_above_the_socket_timeout(engine, run):
    book = Book()
    async with run(book) as runner:
        # Somebody else's entry; BullMQ would block for up to 10 s until it is due.
        await engine._queue.add("download", {}, {"jobId": "elsewhere", "delay": 60_000})
        await engine.hand_over([handed()])
        await until(lambda: book.finished)
        worker = runner._worker
        await until(lambda: worker.waiting is not None)
        assert worker.getBlockTimeout(int(time.time() * 1_000) + 60_000) <= guarded.BLOCK_S


async def test_gap_3_a_handler_that_raises_cancelled_error_does_not_stop_the_runner(engine, run, look):
    async def handle(job):
        if job == bad:
            raise asyncio.CancelledError
        good.append(job)

    bad, after, good = handed(), handed(), []
    async with run(handle, slots=1) as runner:
        await engine.hand_over([bad, after])
        await until(lambda: good == [after])
        assert await look.state(bad) == "failed"
        assert runner.healthy


async def test_gap_3_a_handler_whose_task_is_cancelled_does_not_stop_its_siblings(engine, run):
    sibling, book = handed(), Book(hold=True)

    async def handle(job):
        if job == sibling:
            await book(job)
        else:
            asyncio.current_task().cancel()
            await asyncio.sleep(1)

    async with run(handle) as runner:
        await engine.hand_over([sibling, handed(), handed()])
        await until(lambda: book.started)
        await asyncio.sleep(0.2)
        book.hold.set()
        await until(lambda: book.finished == [sibling])
        assert runner.healthy


@pytest.mark.parametrize("error", [ValueError("no"), KeyError(), TimeoutError(), ConnectionError(), BaseExceptionGroup])
async def test_whatever_a_handler_raises_ends_that_entry_only(engine, run, look, error):
    bad, after, good = handed(), handed(), []

    async def handle(job):
        if job == bad:
            raise error if isinstance(error, Exception) else error("many", [ValueError()])
        good.append(job)

    async with run(handle, slots=1):
        await engine.hand_over([bad, after])
        await until(lambda: good == [after])
        assert await look.state(bad) == "failed"


async def test_gap_4_a_listener_that_raises_stops_neither_the_loop_nor_the_locks(engine, run, look):
    def fail(*_):
        raise RuntimeError("a listener's defect")

    first, second, book = handed(), handed(), Book(hold=True)
    async with run(book, slots=1, lease_s=4) as runner:
        await until(lambda: runner.healthy)
        for event in ("active", "completed", "locksRenewed", "error", "stalled", "paused"):
            runner._worker.on(event, fail)
        await engine.hand_over([first, second])
        await until(lambda: book.started)
        for _ in range(2):  # the listener for the first might have ended it
            await look.until_renewed(first)
        book.hold.set()
        await until(lambda: book.finished == [first, second])
        await until(lambda: _is(look, second, "completed"))


async def test_gap_5_a_lost_lock_is_told(engine, run, look):
    job, book, lost = handed(), Book(hold=True), []
    async with run(book, lease_s=1, lost=lost.append):
        await engine.hand_over([job])
        await until(lambda: book.started)
        await look.client.set(look.key(f"{job.job_id}.1:lock"), "another worker's", px=5_000)
        await until(lambda: lost)
        assert lost[0] == job.job_id


async def test_gap_5_losing_redis_itself_is_told_and_the_handler_goes_on(engine, run, look):
    job, book, lost = handed(), Book(hold=True), []
    async with run(book, lease_s=1, lost=lost.append):
        await engine.hand_over([job])
        await until(lambda: book.started)
        await look.client.delete(*[key async for key in look.client.scan_iter(look.key("*"))])
        await until(lambda: lost)
        assert not book.cancelled
        book.hold.set()
        await until(lambda: book.finished == [job])


async def test_gap_5_a_listener_for_lost_locks_may_fail(engine, run, look):
    def fail(_):
        raise RuntimeError("the worker's defect")

    job, after, book = handed(), handed(), Book(hold=True)
    async with run(book, lease_s=1, lost=fail):
        await engine.hand_over([job])
        await until(lambda: book.started)
        await look.client.delete(look.key(f"{job.job_id}.1:lock"))
        await asyncio.sleep(0.6)  # one renewal, a quarter of the lease
        book.hold.set()
        await engine.hand_over([after])
        await until(lambda: after in book.finished)


async def test_an_entry_that_comes_back_while_its_handler_runs_joins_it(engine, run, look):
    job, book = handed(), Book(hold=True)
    async with run(book, slots=2, lease_s=4) as runner:
        await engine.hand_over([job])
        await until(lambda: book.started)
        await look.client.delete(look.key(f"{job.job_id}.1:lock"))
        await until(lambda: taken(runner, job) == 2)
        book.hold.set()
        await until(lambda: _is(look, job, "completed"))
    assert book.started == [job]


async def test_an_entry_whose_fetch_was_never_answered_comes_back_long_before_its_lock_runs_out(engine, run, look):
    job, book = handed(), Book()
    async with run(book, lease_s=600) as runner:
        await until(lambda: runner.healthy and runner._worker.drained)  # the first round of fetches is over
        worker = runner._worker
        fetch, cuts = worker.backend.moveToActive, []

        async def cut_once(token, opts):
            answer = await fetch(token, opts)
            if answer[0] and not cuts:
                cuts.append(token)
                raise redis.exceptions.TimeoutError("the answer is lost")
            return answer

        worker.backend.moveToActive = cut_once
        await engine.hand_over([job])
        assert await until(lambda: book.finished == [job], within_s=6) < 5
        assert cuts


async def test_gap_8_old_entries_are_cleaned_and_young_ones_kept(engine, look, run):
    async def handle(job):
        if job in (old_failed, young_failed):
            raise ValueError

    old, young, old_failed, young_failed = [handed() for _ in range(4)]
    async with run(handle):
        await engine.hand_over([old, young, old_failed, young_failed])
        await until(lambda: _count(look, "completed", 2))
        await until(lambda: _count(look, "failed", 2))
    now_ms = time.time() * 1_000
    await look.client.zadd(look.key("completed"), {f"{old.job_id}.1": now_ms - COMPLETED_KEPT_S * 1_000 - 1_000})
    await look.client.zadd(look.key("completed"), {f"{young.job_id}.1": now_ms - COMPLETED_KEPT_S * 1_000 + 60_000})
    await look.client.zadd(look.key("failed"), {f"{old_failed.job_id}.1": now_ms - FAILED_KEPT_S * 1_000 - 1_000})
    await look.client.zadd(look.key("failed"), {f"{young_failed.job_id}.1": now_ms - FAILED_KEPT_S * 1_000 + 60_000})
    assert await engine.clean() == 2
    states = [await look.state(job) for job in (old, young, old_failed, young_failed)]
    assert states == ["unknown", "completed", "unknown", "failed"]
    assert await look.fields(old) == {}
    assert await engine.clean() == 0


async def test_gap_9_a_second_and_third_stall_do_not_fail_the_entry(engine, run, look):
    job, book = handed(), Book()
    await engine.hand_over([job])
    await look.client.hset(look.key(f"{job.job_id}.1"), "stc", 5)
    # Active without a lock, as a killed worker leaves it; two checks of a third of the lease find it.
    await look.client.lmove(look.key("wait"), look.key("active"), "RIGHT", "LEFT")
    async with run(book, lease_s=1):
        await until(lambda: book.finished == [job], within_s=5)
        await until(lambda: _is(look, job, "completed"))


async def test_gap_10_all_keys_of_a_queue_carry_the_tag_of_the_prefix(engine, look, run, redis_prefix):
    book = Book()
    async with run(book):
        await engine.hand_over([handed(), handed()])
        await until(lambda: len(book.finished) == 2)
    keys = [key async for key in look.client.scan_iter(f"{redis_prefix}*")]
    assert len(keys) >= 4
    assert all(key.startswith(f"{redis_prefix}:downloads") for key in keys)


async def _is(look: Look, job, state: str) -> bool:
    return await look.state(job) == state


async def _count(look: Look, name: str, number: int) -> bool:
    return await look.client.zcard(look.key(name)) == number
