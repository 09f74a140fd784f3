"""The real ledger and the real engine adapter under a clock that only a test moves, for the state machine.

`World` runs the house's own calls, one after the other, on a loop of its own. It decides nothing and expects nothing.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from haulier.dispatch.handover import reconcile
from haulier.engine import Engine
from haulier.job import Attempt, Failure, Handed, Job, Progress, Request
from haulier.ledger import Admission, Beat, Ledger, open_ledger
from haulier.limits import RoleLimits
from haulier.settings import Secret
from tests.builders import artefact, submission

T = TypeVar("T")
LEASE_S, KEEP_S = 15, 3_600
TABLES = "users, roles, jobs, attempts, idempotency, usage, job_events, workers"

CLOCK = """
create table if not exists fake_clock (now timestamptz not null);
create or replace function haulier_now() returns timestamptz language sql stable parallel safe
    as $$ select now from fake_clock $$;
"""


class World:
    """One database and one Redis database, emptied for each run."""

    def __init__(self, database_url: Secret, redis_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._urls = (database_url, Secret(f"{redis_url.rpartition('/')[0]}/9"))
        self.ledger: Ledger
        self.engine: Engine
        self._connection: asyncpg.Connection
        self.run(self._open())

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    async def _open(self) -> None:
        database_url, redis_url = self._urls
        self.ledger = await self._stack.enter_async_context(open_ledger(database_url, connections=3))
        self.engine = await self._stack.enter_async_context(Engine.open(redis_url, prefix="{machine}"))
        self._connection = await asyncpg.connect(database_url.reveal())
        await self._connection.execute(CLOCK)

    def close(self) -> None:
        self.run(self._connection.close())
        self.run(self._stack.aclose())
        self._loop.close()

    def empty(self) -> None:
        """A new run, at ten in the morning."""
        statements = "; ".join(f"delete from {table}" for table in reversed(TABLES.split(", ")))
        self.run(
            self._connection.execute(
                f"{statements}; delete from fake_clock; insert into fake_clock values ('2026-11-23T10:00:00Z')"
            )
        )
        self.flush()

    def advance(self, seconds: float) -> None:
        self.run(self._connection.execute("update fake_clock set now = now + $1", timedelta(seconds=seconds)))

    def define(self, function: str) -> None:
        """Put another function into the ledger: a fault for the machine to find."""
        self.run(self._connection.execute(function))

    # ---- the house's own calls

    def submit(self, user: str, role: str, limits: RoleLimits, file_id: int) -> Admission:
        request = Request(file_id=file_id)
        return self.run(
            self.ledger.submissions.submit(
                submission(user_id=user, role=role, limits=limits, request=request, keep_for=timedelta(seconds=KEEP_S))
            )
        )

    def take(self) -> list[Handed]:
        return self.run(self.ledger.backlog.take(most=5))

    def tell_engine(self, tickets: Sequence[Handed]) -> None:
        self.run(self.engine.hand_over(tickets))

    def in_engine(self, tickets: Sequence[Handed]) -> set[Handed]:
        return self.run(self.engine.present(tickets))

    def drop_entry(self, ticket: Handed) -> None:
        """What a worker does with an entry whose attempt has ended."""
        self.run(self.engine.remove(ticket))

    def flush(self) -> None:
        self.run(self.engine._client.flushdb())

    def reconcile(self) -> int:
        return self.run(reconcile(self.ledger.backlog, self.engine))

    def claim(self, ticket: Handed, worker: str) -> Attempt | None:
        return self.run(self.ledger.attempts.claim(ticket, worker=worker, lease=timedelta(seconds=LEASE_S)))

    def beat(self, attempt: Attempt, percent: int) -> bool:
        progress = Progress("stage", percent, 100, percent)
        return bool(self.run(self.ledger.attempts.beat([Beat(attempt, progress)], lease=timedelta(seconds=LEASE_S))))

    def save(self, attempt: Attempt) -> bool:
        return self.run(self.ledger.attempts.save_checkpoint(attempt, {"n": attempt.number}))

    def complete(self, attempt: Attempt) -> Job | None:
        key = f"artifacts/{attempt.job.id}/{attempt.number}/file"
        return self.run(self.ledger.attempts.complete(attempt, artefact(key=key)))

    def fail(self, attempt: Attempt) -> Job | None:
        return self.run(self.ledger.attempts.fail(attempt, Failure("source_missing", "Gone.")))

    def retry(self, attempt: Attempt, wait_s: float) -> Job | None:
        wait = timedelta(seconds=wait_s)
        return self.run(self.ledger.attempts.retry(attempt, Failure("source_changed", "Changed."), wait=wait))

    def hand_back(self, attempt: Attempt) -> Job | None:
        return self.run(self.ledger.attempts.hand_back(attempt))

    def cancel(self, job_id: UUID, user: str | None) -> Job | None:
        return self.run(self.ledger.attempts.cancel(job_id, user_id=user))

    def end_lost(self) -> list[Job]:
        return self.run(self.ledger.attempts.end_lost())

    def expire(self) -> list[Job]:
        return list(self.run(self.ledger.retention.expire_artefacts()).jobs)

    def announce(self, slots: int) -> None:
        self.run(self.ledger.workers.announce("fleet", slots=slots))

    # ---- looking behind it

    def rows(self, query: str) -> list[asyncpg.Record]:
        return self.run(self._connection.fetch(query))
