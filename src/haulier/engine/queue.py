"""The producer's and observer's side of the engine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import msgspec
import redis.asyncio
import redis.exceptions
from bullmq import Queue
from bullmq.utils import is_redis_cluster

from haulier.engine.entries import COMPLETED_KEPT_S, FAILED_KEPT_S, NAME, QUEUE, data_of, entry_id, options_of
from haulier.errors import EngineUnavailable
from haulier.failpoints import Point, reached
from haulier.job import Handed
from haulier.redis_client import redis_client
from haulier.settings import Secret
from haulier.silence import answered_within

SOCKET_TIMEOUT_S = 5.0  # of one command; ANSWER_S ends it sooner, and knows a standstill of ours from silence
ANSWER_S = 2.0
BULK = 500
AT_A_TIME = 16
CLEAN_LIMIT = 1_000


class Depth(msgspec.Struct, frozen=True):
    """How many entries wait and how many are being worked on."""

    waiting: int
    active: int


class Engine:
    """Hands jobs over and looks after them. Every call raises EngineUnavailable within about 2 s when Redis is away.

    Nothing is repeated by itself; hand-over, look and remove are all safe to repeat.
    """

    def __init__(self, client: "redis.asyncio.Redis", *, prefix: str) -> None:
        self._client = client
        self._queue = Queue(QUEUE, {"connection": client, "prefix": prefix})

    @classmethod
    @asynccontextmanager
    async def open(cls, url: Secret, *, prefix: str) -> AsyncGenerator["Engine"]:
        """The engine on the Redis at `url`. Connects when first used, so it opens although Redis is away.

        `prefix` needs a `{tag}` for Redis Cluster (gap 10): all keys of the queue then share one slot.
        """
        client = redis_client(url, socket_timeout_s=SOCKET_TIMEOUT_S, decode=True)
        try:
            yield cls(client, prefix=prefix)
        finally:
            await client.aclose()

    async def hand_over(self, jobs: Sequence[Handed]) -> None:
        """Let workers have these jobs. A pair that was handed over before is not added again.

        After EngineUnavailable some of them may have been added all the same; `present` tells.
        """
        await reached(Point.MARKED)
        async with _answered():
            if len(jobs) == 1 or is_redis_cluster(self._client):
                await self._add_each(jobs)
            else:
                await self._add_together(jobs)
        await reached(Point.HANDED_OVER)

    async def _add_each(self, jobs: Sequence[Handed]) -> None:
        """One round trip each: half of addBulk's time for a single job, and Cluster refuses addBulk (gap 10)."""
        for start in range(0, len(jobs), AT_A_TIME):
            await asyncio.gather(
                *(
                    self._queue.add(NAME, data_of(handed), options_of(handed))
                    for handed in jobs[start : start + AT_A_TIME]
                )
            )

    async def _add_together(self, jobs: Sequence[Handed]) -> None:
        for start in range(0, len(jobs), BULK):
            await self._queue.addBulk(
                [
                    {"name": NAME, "data": data_of(handed), "opts": options_of(handed)}
                    for handed in jobs[start : start + BULK]
                ]
            )

    async def present(self, jobs: Sequence[Handed]) -> set[Handed]:
        """Which of these the engine still holds as waiting, active or delayed; finished and unknown ones are not."""
        answers: list[tuple[str | None, str | None]] = []
        async with _answered():
            for start in range(0, len(jobs), BULK):
                async with self._client.pipeline(transaction=False) as pipe:
                    for handed in jobs[start : start + BULK]:
                        pipe.hmget(self._queue.toKey(entry_id(handed)), "timestamp", "finishedOn")
                    answers += await pipe.execute()
        return {handed for handed, (added, ended) in zip(jobs, answers, strict=True) if added and not ended}

    async def remove(self, handed: Handed) -> bool:
        """Take a waiting entry out; False when it is not there, has ended, or is being worked on."""
        async with _answered():
            # BullMQ says 1 for what it does not know, and removes what has ended.
            return bool(await self.present([handed]) and await self._queue.remove(entry_id(handed)))

    async def depth(self) -> Depth:
        """Entries waiting and active."""
        async with _answered(), self._client.pipeline(transaction=False) as pipe:
            pipe.llen(self._queue.toKey("wait"))
            pipe.llen(self._queue.toKey("active"))
            return Depth(*await pipe.execute())

    async def clean(self) -> int:
        """Remove finished entries that are old (gap 8: BullMQ does it only when the next job finishes); how many."""
        async with _answered():
            completed = await self._queue.clean(COMPLETED_KEPT_S * 1_000, CLEAN_LIMIT, "completed")
            failed = await self._queue.clean(FAILED_KEPT_S * 1_000, CLEAN_LIMIT, "failed")
        return len(completed) + len(failed)

    async def ping(self) -> None:
        """Return when Redis answers."""
        async with _answered():
            await self._client.ping()  # pyright: ignore[reportGeneralTypeIssues]


@asynccontextmanager
async def _answered() -> AsyncGenerator[None]:
    """EngineUnavailable for whatever Redis does instead of answering, and for a sum of waits above ANSWER_S."""
    try:
        async with answered_within(ANSWER_S):
            yield
    except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
        raise EngineUnavailable from error
