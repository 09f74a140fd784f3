"""What a kind of channel has to do: take one notice to where it belongs, and say what came of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from haulier.job import Job


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one channel. `id` stays the same over all attempts; `job` is None for a test.

    `is_late`: there is no file of the job (any more) to be downloaded. `secret` is what the channel keeps sealed
    (address, keys), opened for this attempt only: never for a log.
    """

    id: UUID
    event: str
    at: datetime
    channel_id: UUID
    secret: Mapping[str, Any]
    job: Job | None
    is_late: bool = False


class Delivered(msgspec.Struct, frozen=True):
    """It arrived. `answer` is the HTTP or SMTP status."""

    answer: int | None = None


class TryAgain(msgspec.Struct, frozen=True):
    """It certainly did not arrive, or it may be sent twice: later again.

    `after_s` is for how many seconds the receiver wants to be left alone. `ours`: the receiver has no part in it, so it
    must not be held against the channel.
    """

    reason: str
    answer: int | None = None
    after_s: float | None = None
    ours: bool = False


class GiveUp(msgspec.Struct, frozen=True):
    """It will not arrive, or nobody knows and it must not be sent twice (`unknown`). `disable`: nothing ever will.

    `ours`: as for TryAgain.
    """

    reason: str
    answer: int | None = None
    disable: bool = False
    unknown: bool = False
    ours: bool = False


class Busy(msgspec.Struct, frozen=True):
    """We had no room to send it, which is nothing against its receiver: handed back, as if it had not been tried."""


Verdict = Delivered | TryAgain | GiveUp | Busy


def unwatched() -> None:
    """For a send that nobody breaks off."""


class Sender(Protocol):
    """Sends notices of one kind, `room` at a time at most.

    `repeatable`: an attempt that nobody knows the end of may be made once more.
    """

    repeatable: bool
    room: int

    async def send(self, notice: Notice, /, *, begun: Callable[[], None] = unwatched) -> Verdict:
        """Try once, within a time of its own; raises nothing that a receiver can cause.

        Calls `begun` before anything of the notice can arrive: what is broken off earlier was certainly not sent.
        """
        ...
