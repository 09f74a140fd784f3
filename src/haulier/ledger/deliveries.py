"""Deliveries: the outbox of what channels are to hear, and the log of what was tried."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from haulier.job import Job
from haulier.ledger.channels import Channel, channel_from
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile, Row
from haulier.ledger.records import job_from

DeliveryStatus = Literal["pending", "sending", "delivered", "failed", "unknown"]
Outcome = Literal["delivered", "again", "failed", "unknown"]


LATEST_ATTEMPTS = 20


class DeliveryQueries(QueryFile, file="deliveries.sql"):
    claim_deliveries: Many
    finish_delivery: One
    hand_back_delivery: One
    return_deliveries: One
    deliveries_of_channel: Many
    attempts_of_deliveries: Many
    queue_test: One
    delivery_of_user: One
    redeliver: One


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one channel. `attempts` numbers its attempts for good, `tries` those since it was last asked for.

    `job_version` is the job's at its end. `due_at` is set while it is pending, `ended_at` once it is over.
    """

    id: UUID
    channel_id: UUID
    job_id: UUID | None
    job_version: int | None
    event: str
    at: datetime
    status: DeliveryStatus
    attempts: int
    tries: int
    due_at: datetime | None
    ended_at: datetime | None


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it was. `answer` is the HTTP or SMTP status, `duration_ms` None when nobody saw its end."""

    number: int
    at: datetime
    duration_ms: int | None
    outcome: Outcome
    answer: int | None
    reason: str


class Claimed(msgspec.Struct, frozen=True):
    """A delivery to attempt now. `job` is None for a test."""

    delivery: Delivery
    channel: Channel
    job: Job | None


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. With `again`, `wait` is how long until the next; `disable` ends the channel with it.

    For `pause` nothing else is sent to the channel either. Unless it `counts` it is not held against the channel.
    """

    outcome: Outcome
    reason: str = ""
    answer: int | None = None
    duration: timedelta = timedelta()
    wait: timedelta = timedelta()
    disable: bool = False
    pause: timedelta | None = None
    counts: bool = True


class Deliveries:
    """The outbox. Times are the ledger's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, *, most: int, failing: int, lease: timedelta, kinds: Collection[str], of_channel: int, of_user: int
    ) -> list[Claimed]:
        """Up to `most` due deliveries of these kinds, ours for `lease`; no more than so many under way of any one.

        At most `failing` of them are to channels that failed when they were tried last.
        """
        rows = await self._database.run(
            DeliveryQueries.claim_deliveries,
            most=most,
            failing=failing,
            lease=lease,
            kinds=list(kinds),
            of_channel=of_channel,
            of_user=of_user,
        )
        return [
            Claimed(
                delivery_from(row["delivery"]),
                channel_from(row["channel"]),
                job_from(row["job"]) if row["job"] else None,
            )
            for row in rows
        ]

    async def finish(self, delivery: Delivery, ended: Finished, *, failing_for: timedelta) -> tuple[bool, bool]:
        """Write how a claimed attempt ended: whether it still was ours, and whether the channel was disabled by it.

        A delivery that fails for good disables its channel when nothing was delivered to that for `failing_for`.
        """
        row = await self._database.run(
            DeliveryQueries.finish_delivery,
            delivery_id=delivery.id,
            attempt=delivery.attempts,
            outcome=ended.outcome,
            wait=ended.wait,
            answer=ended.answer,
            reason=ended.reason,
            duration_ms=round(ended.duration.total_seconds() * 1_000),
            disable=ended.disable,
            failing_for=failing_for,
            pause=ended.pause,
            counts=ended.counts,
        )
        assert row is not None
        return row["status"] is not None, row["disabled"]

    async def hand_back(self, delivery: Delivery, *, wait: timedelta = timedelta()) -> bool:
        """Give back a claimed delivery of which nothing was sent, due after `wait`, without counting the attempt.

        Whether it still was ours. Where its channel was switched off meanwhile it fails.
        """
        row = await self._database.run(
            DeliveryQueries.hand_back_delivery, delivery_id=delivery.id, attempt=delivery.attempts, wait=wait
        )
        assert row is not None
        return row["kept"]

    async def take_back(self, *, repeatable: Collection[str], most: int) -> int:
        """Return what workers that are gone were sending, of whatever kind; how many.

        What is of none of the `repeatable` kinds is over. `most` attempts are made, as elsewhere.
        """
        row = await self._database.run(DeliveryQueries.return_deliveries, repeatable=list(repeatable), most=most)
        assert row is not None
        return row["returned"]

    async def page(
        self,
        channel_id: UUID,
        *,
        status: DeliveryStatus | None,
        limit: int,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[Delivery]:
        """A channel's deliveries, the latest event first; `before` is event's time and id of the last one seen."""
        before_at, before_id = before or (None, None)
        rows = await self._database.run(
            DeliveryQueries.deliveries_of_channel,
            channel_id=channel_id,
            status=status,
            before_at=before_at,
            before_id=before_id,
            count=limit,
        )
        return [delivery_from(row) for row in rows]

    async def attempts(self, delivery_ids: Sequence[UUID]) -> dict[UUID, list[DeliveryAttempt]]:
        """What was tried for each of these, in order: the latest LATEST_ATTEMPTS, since redeliveries have no end."""
        found: dict[UUID, list[DeliveryAttempt]] = {delivery_id: [] for delivery_id in delivery_ids}
        rows = await self._database.run(
            DeliveryQueries.attempts_of_deliveries, delivery_ids=delivery_ids, most=LATEST_ATTEMPTS
        )
        for row in rows:
            found[row["delivery_id"]].append(
                DeliveryAttempt(
                    number=row["number"],
                    at=row["at"],
                    duration_ms=row["duration_ms"],
                    outcome=row["outcome"],
                    answer=row["answer"],
                    reason=row["reason"],
                )
            )
        return found

    async def queue_test(self, delivery_id: UUID, *, channel_id: UUID, user_id: str) -> Delivery | None:
        """A delivery of the event `test`, due now; None when the channel is not the user's, or not on."""
        row = await self._database.run(
            DeliveryQueries.queue_test, id=delivery_id, channel_id=channel_id, user_id=user_id
        )
        return delivery_from(row) if row else None

    async def get(self, delivery_id: UUID, *, user_id: str) -> Delivery | None:
        """A delivery to one of the user's channels."""
        row = await self._database.run(DeliveryQueries.delivery_of_user, delivery_id=delivery_id, user_id=user_id)
        return delivery_from(row) if row else None

    async def redeliver(self, delivery_id: UUID) -> Delivery | None:
        """The same delivery again, due now, with all its retries; None while it is sent, or its channel is not on."""
        row = await self._database.run(DeliveryQueries.redeliver, delivery_id=delivery_id)
        return delivery_from(row) if row else None


def delivery_from(row: Row) -> Delivery:
    """The delivery of a `deliveries` row."""
    return Delivery(
        id=row["id"],
        channel_id=row["channel_id"],
        job_id=row["job_id"],
        job_version=row["job_version"],
        event=row["event"],
        at=row["at"],
        status=row["status"],
        attempts=row["attempts"],
        tries=row["attempts"] - row["attempts_before"],
        due_at=row["due_at"],
        ended_at=row["ended_at"],
    )
