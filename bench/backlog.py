"""What a job costs at a backlog of 100, 10,000 and 100,000 queued jobs: to initiate, to hand over, to tell its place.

Three databases of one PostgreSQL (default durability), measured in turns, so that a noisy moment meets all of them.
Prints medians in milliseconds for each job, and their ratio to the smallest backlog.

Run: `.venv/bin/python bench/backlog.py`.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import structlog

from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.job import Request, new_job_id
from haulier.ledger import Ledger, Submission, migrate, open_ledger
from haulier.limits import FREE, RoleLimits
from haulier.settings import Secret

DEPTHS = (100, 10_000, 100_000)
ROUNDS = 40
BATCH = 5
LIMITS = RoleLimits(running=FREE.running)

# As submit_job leaves them, without its 100,000 commits.
FILL = """
insert into roles (role) values ('free') on conflict do nothing;
insert into users (user_id, role, fair_tag, head_tag)
select 'user ' || n, 'free', {depth} / {users}, 0 from generate_series(0, {users} - 1) n;
insert into jobs (id, user_id, role, request, preparer, max_attempts, fair_tag, created_at, updated_at)
select gen_random_uuid(), 'user ' || n % {users}, 'free', jsonb_build_object('file_id', 10000 + n), 'simulate', 3,
    n / {users}, now(), now()
from generate_series(0, {depth} - 1) n;
"""

Measure = Callable[[Ledger], Awaitable[float]]


def fresh(user_id: str) -> Submission:
    return Submission(
        id=new_job_id(),
        user_id=user_id,
        role="free",
        request=Request(file_id=70_000),
        preparer="simulate",
        max_attempts=3,
        limits=LIMITS,
        key=str(new_job_id()),
    )


async def initiate(ledger: Ledger) -> float:
    """Milliseconds for each of BATCH submissions by new users."""
    began = time.perf_counter()
    for n in range(BATCH):
        await ledger.submissions.submit(fresh(f"new {began} {n}"))
    return (time.perf_counter() - began) * 1_000 / BATCH


async def hand_over(ledger: Ledger) -> float:
    """Milliseconds for each of BATCH jobs that are taken at once; they are cancelled then, to make room."""
    began = time.perf_counter()
    taken = await ledger.backlog.take(most=BATCH)
    spent = (time.perf_counter() - began) * 1_000
    assert len(taken) == BATCH
    for handed in taken:
        await ledger.attempts.cancel(handed.job_id, user_id=None)
    return spent / BATCH


async def place(ledger: Ledger) -> float:
    """Milliseconds to tell the place of a fresh job behind the backlog."""
    admission = await ledger.submissions.submit(fresh("user 0"))
    assert admission.job is not None
    began = time.perf_counter()
    assert await ledger.jobs.place_in_line(admission.job.id) is not None
    return (time.perf_counter() - began) * 1_000


MEASURES: dict[str, Measure] = {"initiate": initiate, "hand over": hand_over, "place": place}


async def backlog(stack: AsyncExitStack, url: str, *, depth: int, users: int) -> Ledger:
    """A ledger with a backlog, nearly as old as the table's statistics."""
    name = f"backlog_{depth}_{users}"
    administrator = await asyncpg.connect(url)
    await administrator.execute(f"create database {name}")
    await administrator.close()
    database = Secret(f"{url.rpartition('/')[0]}/{name}")
    await migrate(database)
    connection = await asyncpg.connect(database.reveal())
    await connection.execute(FILL.format(depth=depth, users=users))
    await connection.execute("vacuum analyze")
    await connection.close()
    ledger = await stack.enter_async_context(open_ledger(database))
    await ledger.workers.announce("bench", slots=BATCH)
    return ledger


async def main(users: int) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        supervisor = await stack.enter_async_context(Supervisor())
        url = await start_postgres(
            supervisor, folder, password=Secret("bench-bench-bench"), port=free_port(), grace_s=5
        )
        ledgers = {depth: await backlog(stack, url.reveal(), depth=depth, users=min(users, depth)) for depth in DEPTHS}
        spent: dict[tuple[str, int], list[float]] = {}
        for _ in range(ROUNDS):
            for name, measure in MEASURES.items():
                for depth, ledger in ledgers.items():
                    await ledger.workers.announce("bench", slots=BATCH)
                    spent.setdefault((name, depth), []).append(await measure(ledger))
        shape = {}
        for depth, ledger in ledgers.items():
            began = time.perf_counter()
            await ledger.jobs.depth()
            shape[depth] = (time.perf_counter() - began) * 1_000
    print(f"\n{users} users; ms a job (ratio to {DEPTHS[0]}), medians of {ROUNDS} rounds of {BATCH}")
    print("| backlog | " + " | ".join(MEASURES) + " | whole shape |")
    print("| --- |" + " --- |" * (len(MEASURES) + 1))
    for depth in DEPTHS:
        cells = []
        for name in MEASURES:
            median, least = (statistics.median(spent[name, each]) for each in (depth, DEPTHS[0]))
            cells.append(f"{median:.2f} ({median / least:.2f})")
        print(f"| {depth:,} | " + " | ".join(cells) + f" | {shape[depth]:.0f} |")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    for users in [int(word) for word in sys.argv[1:]] or [1, 10_000]:
        asyncio.run(main(users))
