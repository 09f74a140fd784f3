"""The engine's promises on a real Valkey: hand over, look, remove, clean, run."""

import asyncio

from haulier.engine import Depth, GivenUp
from tests.integration.engine_steps import Book, Look, handed
from tests.waiting import until

DAY_MS = 24 * 3_600 * 1_000


async def test_a_job_that_is_handed_over_is_run_once(engine, run, look):
    book, job = Book(), handed()
    async with run(book):
        await engine.hand_over([job])
        await until(lambda: book.finished == [job])
        await until(lambda: _is(look, job, "completed"))
    assert book.started == [job]


async def test_the_same_pair_handed_over_twice_is_one_entry(engine):
    job = handed()
    await engine.hand_over([job])
    await engine.hand_over([job, job])
    await engine.hand_over([job])
    assert await engine.depth() == Depth(waiting=1, active=0)


async def test_another_hand_over_of_the_same_job_is_another_entry(engine):
    job = handed()
    await engine.hand_over([job, type(job)(job.job_id, 2)])
    assert await engine.depth() == Depth(waiting=2, active=0)


async def test_nothing_to_hand_over_is_nothing_to_do(engine):
    await engine.hand_over([])
    assert await engine.present([]) == set()
    assert await engine.depth() == Depth(waiting=0, active=0)


async def test_jobs_run_in_the_order_in_which_they_were_handed_over(engine, run):
    jobs = [handed() for _ in range(20)]
    await engine.hand_over(jobs[:10])
    for job in jobs[10:]:
        await engine.hand_over([job])
    book = Book()
    async with run(book, slots=1):
        await until(lambda: len(book.finished) == 20)
    assert book.started == jobs


async def test_a_thousand_jobs_are_handed_over_and_looked_for_in_one_call(engine):
    jobs = [handed() for _ in range(1_000)]
    await engine.hand_over(jobs)
    assert await engine.present([*jobs, handed()]) == set(jobs)
    assert await engine.depth() == Depth(waiting=1_000, active=0)


async def test_no_more_than_the_slots_run_at_a_time(engine, run):
    book = Book(hold=True)
    async with run(book, slots=3):
        await engine.hand_over([handed() for _ in range(9)])
        await until(lambda: len(book.started) == 3)
        await asyncio.sleep(0.1)
        assert await engine.depth() == Depth(waiting=6, active=3)
        book.hold.set()
        await until(lambda: len(book.finished) == 9)


async def test_present_are_waiting_active_and_delayed_jobs_only(engine, run, look):
    active, waiting, delayed, completed, failed, unknown = [handed() for _ in range(6)]
    hold = asyncio.Event()

    async def handle(job):
        if job == failed:
            raise GivenUp("no")
        if job == active:
            await hold.wait()

    async with run(handle, slots=1):
        await engine.hand_over([completed, failed, active, waiting])
        await until(lambda: _is(look, active, "active"))
        await engine._queue.add("download", {}, {"jobId": f"{delayed.job_id}.1", "delay": 60_000})
        states = [await look.state(job) for job in (active, waiting, delayed, completed, failed, unknown)]
        assert states == ["active", "wait", "delayed", "completed", "failed", "unknown"]
        present = await engine.present([active, waiting, delayed, completed, failed, unknown])
        assert present == {active, waiting, delayed}
        hold.set()


async def test_a_removed_job_does_not_run(engine, run):
    removed, kept = handed(), handed()
    await engine.hand_over([removed, kept])
    assert await engine.remove(removed) is True
    assert await engine.present([removed]) == set()
    book = Book()
    async with run(book):
        await until(lambda: book.finished == [kept])
    assert removed not in book.started


async def test_a_running_job_is_not_removed(engine, run, look):
    book, job = Book(hold=True), handed()
    async with run(book):
        await engine.hand_over([job])
        await until(lambda: book.started)
        assert await engine.remove(job) is False
        assert await engine.present([job]) == {job}


async def test_removing_what_is_not_there_says_so(engine):
    assert await engine.remove(handed()) is False


async def test_a_job_that_is_given_up_is_listed_as_failed_with_its_reason(engine, run, look):
    job = handed()

    async def handle(_):
        raise GivenUp("The source does not exist.")

    async with run(handle):
        await engine.hand_over([job])
        await until(lambda: _is(look, job, "failed"))
    assert (await look.fields(job))["failedReason"] == "The source does not exist."


async def test_an_entry_that_is_not_ours_fails_and_does_not_disturb(engine, run, look):
    await engine._queue.add("other", {"made": "elsewhere"}, {})
    book, job = Book(), handed()
    async with run(book):
        await engine.hand_over([job])
        await until(lambda: book.finished == [job])
        await until(lambda: look.client.zcard(look.key("failed")))


async def test_a_damaged_entry_does_not_stop_the_runner(engine, run, look):
    broken, job = handed(), handed()
    await engine.hand_over([broken])
    await look.client.hset(look.key(f"{broken.job_id}.1"), mapping={"data": "{not json", "opts": "nonsense"})
    book = Book()
    async with run(book):
        await engine.hand_over([job])
        await until(lambda: book.finished == [job])


async def test_stop_taking_lets_running_jobs_end_and_takes_no_new_ones(engine, run, look):
    book, running, later = Book(hold=True), handed(), handed()
    async with run(book) as runner:
        await engine.hand_over([running])
        await until(lambda: book.started == [running])
        await runner.stop_taking()
        await engine.hand_over([later])
        book.hold.set()
        await until(lambda: _is(look, running, "completed"))
        assert runner.healthy is False
    assert book.started == [running]
    assert await look.state(later) == "wait"


async def test_locks_are_kept_while_running_jobs_end_after_stop_taking(engine, run, look):
    book, job = Book(hold=True), handed()
    async with run(book, lease_s=4) as runner:
        await engine.hand_over([job])
        await until(lambda: book.started)
        await runner.stop_taking()
        await look.until_renewed(job)  # BullMQ's close() would have stopped that
        book.hold.set()
        await until(lambda: _is(look, job, "completed"))


async def test_leaving_cancels_handlers_and_returns_their_entries_to_the_queue(engine, run, look):
    book, jobs = Book(hold=True), [handed(), handed()]
    async with run(book):
        await engine.hand_over(jobs)
        await until(lambda: len(book.started) == 2)
    assert sorted(map(str, book.cancelled)) == sorted(map(str, jobs))
    assert [await look.state(job) for job in jobs] == ["wait", "wait"]
    again = Book()
    async with run(again):
        await until(lambda: len(again.finished) == 2)  # long before their locks run out


async def test_nothing_is_left_active_by_a_runner_that_stops_amid_a_rush(engine, run, look):
    jobs = [handed() for _ in range(300)]
    await engine.hand_over(jobs)
    done = []

    async def handle(job):
        await asyncio.sleep(0.001)
        done.append(job)

    async with run(handle, slots=20):
        await until(lambda: len(done) > 50)
    assert await look.client.llen(look.key("active")) == 0
    assert len(done) + await look.client.llen(look.key("wait")) == 300


async def test_a_runner_says_that_it_runs(run):
    async with run(Book()) as runner:
        await until(lambda: runner.healthy)
        assert (runner.state.running, runner.state.error) == (True, "")


async def _is(look: Look, job, state: str) -> bool:
    return await look.state(job) == state
