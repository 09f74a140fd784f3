"""Channels: where users want to hear of their jobs' outcomes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from haulier.ledger.codes import CODES_OF_USER, CODES_TO_ADDRESS, address_hash
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Exec, Many, One, QueryFile, Row
from haulier.ledger.submissions import Allowance, allowance

MOST_CHANNELS = 20
SENDING_RATE = 10


class ChannelQueries(QueryFile, file="channels.sql"):
    add_channel: One
    channels_of_user: Many
    channel_of_user: One
    change_channel: One
    channels_sealed_otherwise: Many
    reseal_channel: Exec
    enable_channel: One
    remove_channel: One
    owned_channels: Many
    count_sending: One


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel. `target` is what may be shown of where it leads; everything else of it is in `sealed`.

    `failing_since` is its first failed attempt since the last delivered one. Nothing is sent while it is disabled; with
    `stopped_at` its receiver wants nothing more, and only the receiver can take that back.
    """

    id: UUID
    user_id: str
    kind: str
    label: str
    target: str
    sealed: bytes
    events: tuple[str, ...]
    every_job: bool
    confirmed: bool
    stopped_at: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_off(self) -> bool:
        """Whether it was disabled, or its receiver wants nothing more."""
        return self.disabled_at is not None or self.stopped_at is not None

    @property
    def receiver_agrees(self) -> bool:
        """Whether nobody has to confirm it."""
        return self.confirmed and self.stopped_at is None


class ChannelDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A channel to add. `code_to` is the address that a code is mailed to when it is added.

    `fingerprints` are those that another channel to the same place may have, its own first; none: there may be several.
    """

    id: UUID
    user_id: str
    kind: str
    label: str
    target: str
    sealed: bytes
    events: tuple[str, ...]
    every_job: bool
    confirmed: bool = True
    fingerprints: tuple[bytes, ...] = ()
    code_to: str = ""


class Added(msgspec.Struct, frozen=True):
    """What came of a draft: a new channel, or why there is none.

    `twin` leads to the same place, and before `again_at` no code is mailed there. With neither the user has
    MOST_CHANNELS, or there is one with this id.
    """

    channel: Channel | None = None
    twin: UUID | None = None
    again_at: datetime | None = None


class SealedChannel(msgspec.Struct, frozen=True):
    """What is needed to seal a channel anew."""

    id: UUID
    user_id: str
    kind: str
    sealed: bytes


class Channels:
    """Adds, reads, changes and removes channels, but for resealing of one user: others' are as if there were none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, draft: ChannelDraft) -> Added:
        """Add it, one at a time for each user; nothing is counted for what is not added."""
        fields = msgspec.structs.asdict(draft) | {"code_to": address_hash(draft.code_to) if draft.code_to else None}
        row = await self._database.run(
            ChannelQueries.add_channel,
            **fields,
            most=MOST_CHANNELS,
            of_user=CODES_OF_USER,
            of_address=CODES_TO_ADDRESS,
        )
        assert row is not None
        channel = await self.get(draft.id, user_id=draft.user_id) if row["added"] else None
        return Added(channel, row["twin"], row["again_at"])

    async def of_user(self, user_id: str) -> list[Channel]:
        """All channels of a user, the oldest first."""
        return [channel_from(row) for row in await self._database.run(ChannelQueries.channels_of_user, user_id=user_id)]

    async def get(self, channel_id: UUID, *, user_id: str) -> Channel | None:
        return self._channel(
            await self._database.run(ChannelQueries.channel_of_user, channel_id=channel_id, user_id=user_id)
        )

    async def change(self, channel: Channel, *, before: bytes, elsewhere: bool = False) -> Channel | None:
        """Keep label, target, secrets, events and every_job of `channel`; None when `before` is not sealed any more.

        When it leads `elsewhere` now, the pause ends that the receiver of before wanted.
        """
        return self._channel(
            await self._database.run(
                ChannelQueries.change_channel,
                channel_id=channel.id,
                user_id=channel.user_id,
                label=channel.label,
                target=channel.target,
                sealed=channel.sealed,
                events=channel.events,
                every_job=channel.every_job,
                before=before,
                elsewhere=elsewhere,
            )
        )

    async def sealed_otherwise(self, mark: bytes, *, after: UUID, most: int) -> list[SealedChannel]:
        """Up to `most` channels of all users, by id behind `after`, that are not sealed with this mark.

        Those too of which it is not known yet whether others lead to the same place.
        """
        rows = await self._database.run(ChannelQueries.channels_sealed_otherwise, mark=mark, after=after, most=most)
        return [SealedChannel(row["id"], row["user_id"], row["kind"], row["sealed"]) for row in rows]

    async def reseal(self, channel: SealedChannel, *, sealed: bytes, fingerprint: bytes | None) -> None:
        """Put `sealed` in the place of what it has, unless that was changed."""
        await self._database.run(
            ChannelQueries.reseal_channel,
            channel_id=channel.id,
            before=channel.sealed,
            sealed=sealed,
            fingerprint=fingerprint,
        )

    async def enable(self, channel_id: UUID, *, user_id: str) -> Channel | None:
        """Deliver to it again; None when there is none, or its receiver has to agree first."""
        return self._channel(
            await self._database.run(ChannelQueries.enable_channel, channel_id=channel_id, user_id=user_id)
        )

    async def remove(self, channel_id: UUID, *, user_id: str) -> bool:
        """Remove it and its deliveries; whether there was one."""
        row = await self._database.run(ChannelQueries.remove_channel, channel_id=channel_id, user_id=user_id)
        return row is not None

    async def owned(self, channel_ids: Sequence[UUID], *, user_id: str) -> dict[UUID, bool]:
        """Those of these that are the user's, and whether each is off."""
        rows = await self._database.run(ChannelQueries.owned_channels, channel_ids=channel_ids, user_id=user_id)
        return {row["id"]: row["is_off"] for row in rows}

    async def count_sending(self, user_id: str) -> Allowance | None:
        """Count one test or redelivery of SENDING_RATE a minute; None: admitted, else when there may be another."""
        row = await self._database.run(ChannelQueries.count_sending, user_id=user_id, rate=SENDING_RATE)
        assert row is not None
        return None if row["admitted"] else allowance(row["used"], row["resets_at"])

    @staticmethod
    def _channel(row: Row | None) -> Channel | None:
        return channel_from(row) if row else None


def channel_from(row: Row) -> Channel:
    """The channel of a `channels` row."""
    return Channel(
        id=row["id"],
        user_id=row["user_id"],
        kind=row["kind"],
        label=row["label"],
        target=row["target"],
        sealed=row["sealed"],
        events=tuple(row["events"]),
        every_job=row["every_job"],
        confirmed=row["confirmed"],
        stopped_at=row["stopped_at"],
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
