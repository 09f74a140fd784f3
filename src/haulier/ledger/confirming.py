"""Confirming channels that lead to somebody else's place perhaps, and switching them off from there."""

from datetime import datetime
from uuid import UUID

from haulier.ledger.channels import Channel, channel_from
from haulier.ledger.codes import CODES_OF_USER, CODES_TO_ADDRESS, address_hash
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Exec, One, QueryFile


class ConfirmingQueries(QueryFile, file="confirming.sql"):
    confirm_channel: One
    ask_channel_again: One
    channel_of_anybody: One
    switch_off_channel: One
    sweep_unconfirmed: Exec


class Confirming:
    """What happens to channels besides their owner's changes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def confirm(self, channel: Channel, *, sealed: bytes, address: str) -> Channel | None:
        """The channel confirmed, with `sealed` in the place of what it had; None when it changed or was disabled.

        Codes to `address` are as if its receiver had never wanted no more of them.
        """
        row = await self._database.run(
            ConfirmingQueries.confirm_channel,
            channel_id=channel.id,
            user_id=channel.user_id,
            before=channel.sealed,
            sealed=sealed,
            address=address_hash(address),
        )
        return channel_from(row) if row else None

    async def ask_again(
        self, channel: Channel, *, sealed: bytes, confirmed: bool, address: str
    ) -> Channel | datetime | None:
        """The channel switched on with `sealed`, the code in it queued and counted, or confirmed without one.

        A moment: nothing was changed, and there may be another code to `address` then. None when the channel changed
        meanwhile, or its receiver does not have to agree.
        """
        row = await self._database.run(
            ConfirmingQueries.ask_channel_again,
            channel_id=channel.id,
            user_id=channel.user_id,
            before=channel.sealed,
            sealed=sealed,
            confirmed=confirmed,
            address=address_hash(address),
            of_user=CODES_OF_USER,
            of_address=CODES_TO_ADDRESS,
        )
        assert row is not None
        return await self.get(channel.id) if row["asked"] else row["again_at"]

    async def get(self, channel_id: UUID) -> Channel | None:
        """A channel, whosever it is: for who holds a link to it."""
        row = await self._database.run(ConfirmingQueries.channel_of_anybody, channel_id=channel_id)
        return channel_from(row) if row else None

    async def switch_off(self, channel_id: UUID, *, reason: str, address: str) -> bool:
        """Disable an e-mail channel, whosever it is, until it is confirmed anew; whether there is one.

        For 30 days one more code at most goes to `address`, whoever asks.
        """
        row = await self._database.run(
            ConfirmingQueries.switch_off_channel, channel_id=channel_id, reason=reason, address=address_hash(address)
        )
        assert row is not None
        return row["found"]

    async def sweep(self) -> None:
        """Forget what nobody confirmed."""
        await self._database.run(ConfirmingQueries.sweep_unconfirmed)
