"""Who waits how long when somebody else has much to do: real processes, jobs of JOB_S seconds on SLOTS slots.

1. Twenty users with five jobs each, alone; then the same behind one user's 10,000 queued jobs. Prints the p95 of their
   time from request to completion in both, Jain's index over them at half time, and how busy the slots were meanwhile.
2. Premium users with more to do than there are slots, and one free user: the free user's share of the slots.

Run: `.venv/bin/python bench/fairness.py`.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import structlog

from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.embedded.valkey import start_valkey
from haulier.engine import Engine
from haulier.job import Handed, Request, new_job_id
from haulier.ledger import Ledger, Submission, migrate, open_ledger
from haulier.limits import FREE, PREMIUM, RoleLimits
from haulier.settings import Secret

JOB_S = 0.5
SLOTS = 20
USERS, JOBS_EACH = 20, 5
MANY = 10_000
UNCAPPED = RoleLimits()
CATALOGUE = (
    f'[[rule]]\nids = "10000-100000000"\npreparer = "simulate"\n[rule.params]\nseconds = {JOB_S}\nsize_bytes = 0\n'
)


class System(NamedTuple):
    """What the measurements talk to."""

    ledger: Ledger
    engine: Engine
    connection: asyncpg.Connection


async def submit(system: System, user_id: str, count: int, limits: RoleLimits, role: str = "free") -> None:
    for n in range(count):
        admission = await system.ledger.submissions.submit(
            Submission(
                id=new_job_id(),
                user_id=user_id,
                role=role,
                request=Request(file_id=70_000 + n),
                preparer="simulate",
                max_attempts=3,
                limits=RoleLimits(running=limits.running, weight=limits.weight),
                key=str(new_job_id()),
            )
        )
        assert admission.job is not None
        if admission.job.handed:
            await system.engine.hand_over([Handed(admission.job.id, admission.job.handover)])


async def eventually(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool], *, within_s: float = 60) -> None:
    """Ask until the answer holds; TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not holds(await ask()):  # noqa: ASYNC110  another process changes it
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running_system() -> AsyncGenerator[System]:
    """A worker of SLOTS slots over its own PostgreSQL and Valkey."""
    with tempfile.TemporaryDirectory() as home:
        folder, password = Path(home), Secret("bench-bench-bench")
        (folder / "catalogue.toml").write_text(CATALOGUE)
        async with Supervisor() as supervisor:
            database = await start_postgres(supervisor, folder, password=password, port=free_port(), grace_s=5)
            redis = await start_valkey(supervisor, folder, password=password, port=free_port())
            await migrate(database)
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "haulier", "worker", "--concurrency", str(SLOTS)),
                env=os.environ
                | {
                    "HAULIER_DATABASE_URL": database.reveal(),
                    "HAULIER_REDIS_URL": redis.reveal(),
                    "HAULIER_JWT_SECRET": "bench-bench-bench-bench-bench-bench",
                    "HAULIER_STORAGE_URL": f"file://{folder}/store",
                    "HAULIER_CATALOGUE": str(folder / "catalogue.toml"),
                    "HAULIER_LOG_LEVEL": "warning",
                },
            )
            connection = await asyncpg.connect(database.reveal())
            try:
                async with open_ledger(database) as ledger, Engine.open(redis, prefix="{haulier}") as engine:
                    await eventually(ledger.jobs.fleet, lambda fleet: fleet.slots == SLOTS)
                    yield System(ledger, engine, connection)
            finally:
                await connection.close()
                worker.terminate()
                await worker.wait()


async def few(system: System) -> tuple[float, float, float]:
    """The twenty users' jobs: p95 of their seconds to completion, Jain's index at half time, share of busy slots."""
    before = await system.connection.fetchval("select clock_timestamp()")
    await asyncio.gather(*(submit(system, f"user {n}", JOBS_EACH, UNCAPPED) for n in range(USERS)))
    where = "user_id like 'user %' and created_at >= $1"
    unfinished = f"select count(*) from jobs where {where} and status <> 'completed'"
    await eventually(lambda: system.connection.fetchval(unfinished, before), lambda jobs: jobs == 0)
    rows = await system.connection.fetch(
        f"select user_id, completed_at, extract(epoch from completed_at - created_at)::float as spent_s"
        f" from jobs where {where} order by completed_at",
        before,
    )
    half = [row["user_id"] for row in rows[: len(rows) // 2]]
    counts = [half.count(f"user {n}") for n in range(USERS)]
    busy_s = await system.connection.fetchval(
        "select sum(extract(epoch from least(coalesce(ended_at, $2), $2) - greatest(started_at, $1)))::float"
        " from attempts where started_at < $2 and coalesce(ended_at, $2) > $1",
        before,
        rows[-1]["completed_at"],
    )
    span_s = (rows[-1]["completed_at"] - before).total_seconds()
    p95 = statistics.quantiles([row["spent_s"] for row in rows], n=20)[-1]
    return p95, sum(counts) ** 2 / (len(counts) * sum(c * c for c in counts)), busy_s / span_s / SLOTS


async def behind_many() -> None:
    async with running_system() as system:
        await few(system)  # warms up
        alone_s, alone_jain, _ = await few(system)
        await submit(system, "many", MANY, UNCAPPED)
        behind_s, behind_jain, busy = await few(system)
        left = await system.connection.fetchval(
            "select count(*) from jobs where user_id = 'many' and status = 'queued'"
        )
    print(f"\n{USERS} users with {JOBS_EACH} jobs of {JOB_S} s on {SLOTS} slots")
    print("| | p95 s to completion | Jain | slots busy |\n| --- | --- | --- | --- |")
    print(f"| alone | {alone_s:.2f} | {alone_jain:.3f} | |")
    print(f"| behind {left:,} queued jobs of one user | {behind_s:.2f} | {behind_jain:.3f} | {busy:.1%} |")
    print(f"ratio {behind_s / alone_s:.2f}, difference {(behind_s - alone_s) / JOB_S:.1f} jobs' length")


async def under_premium() -> None:
    async with running_system() as system:
        for n in range(5):
            await submit(system, f"premium {n}", 120, PREMIUM, role="premium")
        await submit(system, "free", 100, FREE)
        began = await system.connection.fetchval("select clock_timestamp()")
        await asyncio.sleep(10)
        rows = await system.connection.fetch(
            "select role, sum(extract(epoch from coalesce(ended_at, now()) - greatest(attempts.started_at, $1)))::float"
            " as busy_s from attempts join jobs on jobs.id = job_id"
            " where coalesce(ended_at, now()) > $1 group by role",
            began,
        )
    busy = {row["role"]: row["busy_s"] for row in rows}
    share = busy["free"] / sum(busy.values())
    print(f"\nfive premium users saturate {SLOTS} slots: one free user has {share:.1%} of them")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    asyncio.run(behind_many())
    asyncio.run(under_premium())
