"""Sealing what channels keep with the key of today, so that an older one can be dropped."""

from uuid import UUID

from haulier.ledger import Channels
from haulier.sealing import CannotOpen, Sealer

AT_ONCE = 200


async def reseal(channels: Channels, sealer: Sealer) -> int:
    """Seal anew whatever another key of ours has sealed; how many. What nobody here can open stays as it is."""
    done, after = 0, UUID(int=0)
    while found := await channels.sealed_otherwise(sealer.mark, after=after, most=AT_ONCE):
        for channel in found:
            try:
                secret = sealer.open(channel.id, channel.sealed)
            except CannotOpen:
                continue
            fingerprints = sealer.fingerprints(user_id=channel.user_id, kind=channel.kind, secret=secret)
            await channels.reseal(
                channel,
                sealed=sealer.seal(channel.id, secret),
                fingerprint=fingerprints[0] if fingerprints else None,
            )
            done += 1
        after = found[-1].id
    return done
