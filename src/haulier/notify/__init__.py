"""Telling users of outcomes outside the API: webhooks, e-mail, push and whatever apprise reaches."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from haulier.addresses import trusted
from haulier.clock import Clock
from haulier.notify.apprise import open_apprise
from haulier.notify.courier import Courier
from haulier.notify.email import EmailSender
from haulier.notify.letters import Desk
from haulier.notify.port import Sender
from haulier.notify.push import open_push
from haulier.notify.webhook import open_webhooks
from haulier.sealing import channel_secrets
from haulier.settings import Settings
from haulier.stop_tokens import StopTokens

__all__ = ["Courier", "open_senders"]


@asynccontextmanager
async def open_senders(settings: Settings, *, clock: Clock) -> AsyncGenerator[Mapping[str, Sender]]:
    """A sender for each kind of channel, by the kind's name."""
    async with AsyncExitStack() as stack:
        senders: dict[str, Sender] = {"webhook": await stack.enter_async_context(open_webhooks(settings, clock=clock))}
        if settings.mail_server:
            senders["email"] = EmailSender(settings.mail_server, desk=desk_of(settings), clock=clock, trusted=trusted())
        if settings.vapid_key:
            senders["push"] = await stack.enter_async_context(open_push(settings, clock=clock))
        if settings.apprise_schemas or settings.apprise_places:
            senders["apprise"] = await stack.enter_async_context(open_apprise(settings))
        yield senders


def desk_of(settings: Settings) -> Desk:
    """How letters are written here."""
    tokens, page = StopTokens(channel_secrets(settings)), f"{settings.base_url}/v1/unsubscribe"
    return Desk(
        sender=settings.mail_from,
        job_page=settings.page_url,
        stop_page=lambda channel_id, value: f"{page}?token={tokens.make(channel_id, value=value)}",
    )
