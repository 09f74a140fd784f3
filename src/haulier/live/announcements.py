"""Announcements on Redis pub/sub: a job changed, a job was cancelled, the dispatcher has work.

An announcement is a hint. Sending never waits, never raises, and may be lost; whoever listens also looks by itself now
and then. A changed job's snapshot travels along and is kept for the time when the ledger does not answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import redis.asyncio
import redis.exceptions
import structlog

from haulier.job import Job
from haulier.observe.events import ANNOUNCEMENT_MALFORMED, ANNOUNCEMENTS_AWAY, ANNOUNCEMENTS_BACK
from haulier.redis_client import redis_client
from haulier.settings import Secret
from haulier.tasks import background, repeat

log = structlog.get_logger()

SOCKET_TIMEOUT_S = 2.0
SNAPSHOT_TTL_S = 3_600
PENDING_LIMIT = 10_000  # beyond this the oldest hints are dropped; readers find the change by themselves
BATCH = 200
_AWAY = (redis.exceptions.RedisError, OSError, TimeoutError)

# Keeps the newest version only, so that announcements may overtake each other.
_ANNOUNCE = """
local known = redis.call('HGET', KEYS[1], 'version')
if known and tonumber(known) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'job', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('PUBLISH', KEYS[2], ARGV[2])
"""

Listener = Callable[[bytes], None]


class _Head(msgspec.Struct, frozen=True):
    """What of a changed job says whether somebody here wants it."""

    id: UUID
    user_id: str


class Announcements:
    """Sends and receives announcements of one process."""

    def __init__(self, client: "redis.asyncio.Redis", *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._changed: dict[UUID, Job] = {}
        self._messages: list[tuple[str, str]] = []
        self._wake = asyncio.Event()
        self._listeners: dict[str, Listener] = {}
        self.listening = False

    # ---- sending

    def changed(self, job: Job) -> None:
        """A job has a new version."""
        self._changed.pop(job.id, None)
        self._changed[job.id] = job
        if len(self._changed) > PENDING_LIMIT:
            del self._changed[next(iter(self._changed))]
        self._wake.set()

    def cancelled(self, job_id: UUID) -> None:
        """Whoever runs this job shall stop."""
        self._send("cancels", str(job_id))

    def nudge(self) -> None:
        """The dispatcher has something to do."""
        if ("nudges", "") not in self._messages:
            self._send("nudges", "")

    def _send(self, topic: str, message: str) -> None:
        self._messages.append((topic, message))
        del self._messages[:-PENDING_LIMIT]
        self._wake.set()

    async def flush(self) -> None:
        """Send what is pending now; what Redis does not take is dropped."""
        while self._changed or self._messages:
            jobs = [self._changed.pop(job_id) for job_id in list(self._changed)[:BATCH]]
            messages, self._messages = self._messages, []
            try:
                async with self._client.pipeline(transaction=False) as pipe:
                    for topic, message in messages:
                        pipe.publish(self._channel(topic), message)
                    for job in jobs:
                        keys = (self._snapshot_key(job.id), self._channel("changes"))
                        pipe.eval(_ANNOUNCE, len(keys), *keys, job.version, msgspec.json.encode(job), SNAPSHOT_TTL_S)
                    await pipe.execute(raise_on_error=False)
            except _AWAY:
                self._changed.clear()
                self._messages.clear()

    async def _send_pending(self) -> float:
        await self._wake.wait()
        self._wake.clear()
        await self.flush()
        return 0

    # ---- receiving

    def on_change(self, listener: Callable[[Job], None], *, wanted: Callable[[UUID, str], bool]) -> None:
        """Call `listener` with changed jobs that are `wanted`, by their id and user."""

        def heard(message: bytes) -> None:
            # Most processes want few jobs and need not build the others.
            head = msgspec.json.decode(message, type=_Head)
            if wanted(head.id, head.user_id):
                listener(msgspec.json.decode(message, type=Job))

        self._listeners["changes"] = heard

    def on_cancel(self, listener: Callable[[UUID], None]) -> None:
        """Call `listener` with the ids of cancelled jobs."""
        self._listeners["cancels"] = lambda message: listener(UUID(message.decode()))

    def on_nudge(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the dispatcher has something to do."""
        self._listeners["nudges"] = lambda _: listener()

    async def _receiver(self) -> None:
        wait_s = 0.1
        while True:
            try:
                await self._receive()
            except Exception as error:  # redis-py raises more than its own errors when a connection goes away
                if self.listening:
                    log.warning(ANNOUNCEMENTS_AWAY, error=type(error).__name__, detail=str(error)[:200])
                    wait_s = 0.1
            finally:
                self.listening = False
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 2.0)

    async def _receive(self) -> None:
        channels = {self._channel(topic).encode(): listener for topic, listener in self._listeners.items()}
        if not channels:
            await asyncio.Event().wait()
        async with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(*channels)
            self.listening = True
            log.debug(ANNOUNCEMENTS_BACK)
            quiet_s = 0.0
            while quiet_s < 3 * SOCKET_TIMEOUT_S:
                message: dict[str, Any] | None = await pubsub.get_message(timeout=SOCKET_TIMEOUT_S)
                if message is None:
                    # A silent connection may be dead: the answer to this ping resets the count.
                    await pubsub.ping()
                    quiet_s += SOCKET_TIMEOUT_S
                    continue
                quiet_s = 0.0
                if message["type"] == "message":
                    self._hear(channels[message["channel"]], message["data"])
        raise TimeoutError

    def _hear(self, listener: Listener, data: bytes) -> None:
        try:
            listener(data)
        except (ValueError, msgspec.DecodeError, msgspec.ValidationError):
            log.warning(ANNOUNCEMENT_MALFORMED)

    # ---- the snapshots kept on the way

    async def kept(self, job_id: UUID) -> Job | None:
        """The newest snapshot that was announced, or None; never raises. For when the ledger does not answer."""
        try:
            raw = await self._client.hget(self._snapshot_key(job_id), "job")  # pyright: ignore[reportGeneralTypeIssues]
            return msgspec.json.decode(raw, type=Job) if raw else None
        except (*_AWAY, msgspec.DecodeError, msgspec.ValidationError):
            return None

    def _channel(self, topic: str) -> str:
        return f"{self._prefix}:{topic}"

    def _snapshot_key(self, job_id: UUID) -> str:
        return f"{self._prefix}:snapshot:{job_id}"

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Send and receive during the block. Listeners are to be set before; what is pending is sent at the end."""
        async with background(repeat(self._send_pending, name="announce"), self._receiver()):
            yield
            await self.flush()


@asynccontextmanager
async def open_announcements(url: Secret, *, prefix: str) -> AsyncGenerator[Announcements]:
    """Announcements over `url`, not yet running. Connects lazily: Redis may be away."""
    client = redis_client(url, socket_timeout_s=SOCKET_TIMEOUT_S)
    try:
        yield Announcements(client, prefix=prefix)
    finally:
        await client.aclose()
