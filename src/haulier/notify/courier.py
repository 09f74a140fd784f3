"""The courier: takes what is due out of the outbox and sends it, many at a time. Every worker process runs one."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from random import Random
from typing import TypeVar

import msgspec
import structlog

from haulier.clock import Clock
from haulier.errors import LedgerUnavailable
from haulier.failpoints import Point, reached
from haulier.ledger import Claimed, Delivery, Finished, Ledger
from haulier.notify.endings import ended_by
from haulier.notify.port import Busy, GiveUp, Notice, Sender, TryAgain, Verdict
from haulier.notify.resealing import reseal
from haulier.notify.schedule import MOST_ATTEMPTS
from haulier.observe import events
from haulier.sealing import CannotOpen, Sealer
from haulier.tasks import background, repeat

log = structlog.get_logger()
T = TypeVar("T")

POLL_S = 1.0
# Deliveries that end closer together than this are followed by one look for more.
SHORTEST_WAIT_S = 0.02
TAKE_BACK_S = 5.0
RESEAL_S = 600.0
FAILING_PART = 2  # of a kind's room
MOST_OF_USER = 8
MOST_OF_CHANNEL = 4
SEND_S = 45.0  # beyond every sender's own patience
LEASE = timedelta(seconds=75)
FAILING_FOR = timedelta(days=5)
LEDGER_RETRY_S = 1.0
BUSY = timedelta(seconds=3)
LAST_STEP_S = 2.0


class Errand:
    """A claimed delivery under way. `begun`: something of it may have arrived."""

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed
        self.kind = claimed.channel.kind
        self.is_doubtful = claimed.channel.failing_since is not None
        self.begun = False

    def begin(self) -> None:
        self.begun = True


class Courier:
    """Delivers what is due, less of a user and of a channel at a time; see claim_deliveries.sql.

    Each kind has a room of its own, as large as its sender says: a mail server that hangs holds up e-mail and nothing
    else. Channels that are known to fail take no more than 1/FAILING_PART of a room together.
    """

    def __init__(
        self, *, ledger: Ledger, senders: Mapping[str, Sender], sealer: Sealer, clock: Clock, rng: Random
    ) -> None:
        self._ledger = ledger
        self._senders = senders if sealer else {}
        self._repeatable = [kind for kind, sender in self._senders.items() if sender.repeatable]
        self._sealer = sealer
        self._clock = clock
        self._rng = rng
        self._nudged = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._sending: dict[asyncio.Task[None], Errand] = {}
        self._take_back_at = clock.monotonic()
        self._reseal_at = clock.monotonic()

    def nudge(self) -> None:
        """Something may be due."""
        self._nudged.set()

    @asynccontextmanager
    async def running(self, *, grace_s: float) -> AsyncGenerator[None]:
        """Deliver during the block, once. At its end what is being sent gets `grace_s`.

        After that, what certainly was not sent is handed back; the rest is sent by others when its lease is over, or
        ends as `unknown`.
        """
        if not self._senders:
            log.warning(events.CHANNELS_WITHOUT_KEY)
        try:
            async with background(self._steps()):
                try:
                    yield
                finally:
                    await self._stop_steps()
        finally:
            await self._drain(grace_s)

    async def _steps(self) -> None:
        try:
            await repeat(self.step, name="courier", until=self._stopping)
        finally:
            self._stopped.set()

    async def _stop_steps(self) -> None:
        """Let the last step end: what a claim is cut off from has been claimed, and nobody knows of it."""
        self._stopping.set()
        self._nudged.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), LAST_STEP_S)

    async def step(self) -> float:
        """Start what is due and wait for the next look; for `tasks.repeat`. Answers 0: it waits by itself."""
        self._nudged.clear()
        if self._senders:
            await self._reseal()
            await self._take_back()
            if not self._stopping.is_set():
                await self._start_due()
        if self._stopping.is_set():
            return 0
        try:
            await asyncio.wait_for(self._nudged.wait(), POLL_S)
            await asyncio.sleep(SHORTEST_WAIT_S)
        except TimeoutError:
            pass
        return 0

    async def _reseal(self) -> None:
        """Now and then: during an upgrade an API process of before adds channels as it knows them."""
        if self._clock.monotonic() < self._reseal_at:
            return
        self._reseal_at = self._clock.monotonic() + RESEAL_S
        if channels := await reseal(self._ledger.channels, self._sealer):
            log.info(events.CHANNELS_RESEALED, channels=channels)

    async def _take_back(self) -> None:
        if self._clock.monotonic() < self._take_back_at:
            return
        self._take_back_at = self._clock.monotonic() + TAKE_BACK_S
        returned = await self._ledger.deliveries.take_back(repeatable=self._repeatable, most=MOST_ATTEMPTS)
        if returned:
            log.info(events.DELIVERIES_TAKEN_BACK, deliveries=returned)

    async def _start_due(self) -> None:
        for kind, sender in self._senders.items():
            under_way = [errand for errand in self._sending.values() if errand.kind == kind]
            room = sender.room - len(under_way)
            if room <= 0:
                continue
            doubtful = sum(errand.is_doubtful for errand in under_way)
            for claimed in await self._ledger.deliveries.claim(
                most=room,
                failing=max(0, sender.room // FAILING_PART - doubtful),
                lease=LEASE,
                kinds=[kind],
                of_channel=MOST_OF_CHANNEL,
                of_user=MOST_OF_USER,
            ):
                self._start(Errand(claimed))

    def _start(self, errand: Errand) -> None:
        task = asyncio.create_task(self._deliver(errand))
        self._sending[task] = errand
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._sending[task]
        self._nudged.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(events.LOOP_FAILED, loop="deliver", exc_info=error)

    async def _deliver(self, errand: Errand) -> None:
        claimed = errand.claimed
        delivery, channel = claimed.delivery, claimed.channel
        with structlog.contextvars.bound_contextvars(
            delivery_id=str(delivery.id), channel_id=str(channel.id), kind=channel.kind, attempt=delivery.attempts
        ):
            await reached(Point.DELIVERY_CLAIMED)
            began_s = self._clock.monotonic()
            verdict = await self._send(errand)
            if isinstance(verdict, Busy):
                await self._hand_back(delivery, wait=BUSY)
                return
            await reached(Point.DELIVERY_SENT)
            took = timedelta(seconds=self._clock.monotonic() - began_s)
            ended = ended_by(verdict, tries=delivery.tries, took=took, rng=self._rng)
            await self._finish(claimed, ended)

    async def _send(self, errand: Errand) -> Verdict:
        sender = self._senders[errand.claimed.channel.kind]
        try:
            notice = self._notice(errand.claimed)
        except CannotOpen:
            log.warning(events.CHANNEL_UNREADABLE)
            return TryAgain(
                "what the channel keeps secret cannot be read here; the operator has to set its key", ours=True
            )
        try:
            async with asyncio.timeout(SEND_S):
                return await sender.send(notice, begun=errand.begin)
        except TimeoutError:
            reason = "it took too long"
        except Exception as error:
            # Without its message, which may quote an address or a key.
            log.error(events.SENDER_CRASHED, error=type(error).__name__, where=_places(error))  # noqa: TRY400
            reason = "it could not be sent"
        if sender.repeatable or not errand.begun:
            return TryAgain(reason, ours=True)
        return GiveUp("nobody knows whether it arrived", unknown=True)

    def _notice(self, claimed: Claimed) -> Notice:
        delivery, channel, job = claimed.delivery, claimed.channel, claimed.job
        if job is not None and delivery.job_version is not None:
            # The job's version grows once more when its file expires: what is told is as of its end.
            job = msgspec.structs.replace(job, version=delivery.job_version)
        return Notice(
            id=delivery.id,
            event=delivery.event,
            at=delivery.at,
            channel_id=channel.id,
            secret=self._sealer.open(channel.id, channel.sealed),
            job=job,
            is_late=job is not None and not job.is_available(now=self._clock.now()),
        )

    async def _finish(self, claimed: Claimed, ended: Finished) -> None:
        """Write it down, as long as the lease lasts: after that somebody else has it."""
        found = await self._insist(
            lambda: self._ledger.deliveries.finish(claimed.delivery, ended, failing_for=FAILING_FOR)
        )
        if found is None:
            return
        kept, disabled = found
        facts = {"answer": ended.answer, "reason": ended.reason} if ended.outcome != "delivered" else {}
        log.info(_EVENT_OF[ended.outcome] if kept else events.DELIVERY_LOST, event_name=claimed.delivery.event, **facts)
        if disabled:
            log.warning(events.CHANNEL_DISABLED, reason=ended.reason)

    async def _hand_back(self, delivery: Delivery, *, wait: timedelta) -> None:
        if await self._insist(lambda: self._ledger.deliveries.hand_back(delivery, wait=wait)):
            log.info(events.DELIVERIES_HANDED_BACK, deliveries=1)

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T | None:
        """What `write` answers once the ledger does; None when the lease was over before that."""
        deadline_s = self._clock.monotonic() + LEASE.total_seconds()
        while True:
            try:
                return await write()
            except LedgerUnavailable:
                if self._clock.monotonic() > deadline_s:
                    log.warning(events.DELIVERY_LOST)
                    return None
                await asyncio.sleep(LEDGER_RETRY_S)

    async def _drain(self, grace_s: float) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=grace_s)
        left = dict(self._sending)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        unsent = [errand for task, errand in left.items() if task.cancelled() and not errand.begun]
        await self._hand_back_unsent([errand.claimed.delivery for errand in unsent])

    async def _hand_back_unsent(self, deliveries: Sequence[Delivery]) -> None:
        """Once: where the ledger is away as well, their leases end by themselves."""
        try:
            for delivery in deliveries:
                await self._ledger.deliveries.hand_back(delivery)
        except LedgerUnavailable:
            log.warning(events.DELIVERY_LOST)
            return
        if deliveries:
            log.info(events.DELIVERIES_HANDED_BACK, deliveries=len(deliveries))


def _places(error: Exception) -> list[str]:
    """The innermost lines of code that it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]


_EVENT_OF: Mapping[str, str] = {
    "delivered": events.DELIVERY_DELIVERED,
    "again": events.DELIVERY_POSTPONED,
    "failed": events.DELIVERY_FAILED,
    "unknown": events.DELIVERY_UNKNOWN,
}
