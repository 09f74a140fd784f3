"""Telling users of outcomes outside the API: webhooks, e-mail, push and whatever apprise reaches."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from haulier.clock import Clock
from haulier.notify.courier import Courier
from haulier.notify.port import Sender
from haulier.notify.webhook import open_webhooks
from haulier.settings import Settings

__all__ = ["Courier", "open_senders"]


@asynccontextmanager
async def open_senders(settings: Settings, *, clock: Clock) -> AsyncGenerator[Mapping[str, Sender]]:
    """A sender for each kind of channel, by the kind's name."""
    async with open_webhooks(settings, clock=clock) as webhooks:
        yield {"webhook": webhooks}
