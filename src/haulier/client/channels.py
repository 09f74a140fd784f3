"""The calls about channels: where outcomes of jobs are told, and what was told there."""

from collections.abc import Sequence
from typing import Any, Literal

from haulier.client.arguments import key_header, path_id
from haulier.client.transport import Transport, given, read
from haulier.wire_channel_kinds import ChannelKinds
from haulier.wire_channels import (
    Channel,
    ChannelList,
    ChannelRemoved,
    ChannelWithSecret,
    Delivery,
    DeliveryPage,
    DeliveryState,
    EventName,
)

PATH = "/v1/channels"
DELIVERIES = "/v1/deliveries"
KINDS = "/v1/channel-kinds"
Language = Literal["en", "de"]


class Channels:
    """Channels of the client's user. ApiError `channel_not_found` for what is none of theirs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def add_webhook(
        self,
        url: str,
        *,
        events: Sequence[EventName] | None = None,
        every_job: bool = True,
        label: str = "",
        signature: Literal["hmac", "ed25519"] = "hmac",
        idempotency_key: str | None = None,
    ) -> ChannelWithSecret:
        """A new webhook. Keep its `secret` (or `public_key`): only this answer has it, and that of `rotate`."""
        wanted: dict[str, Any] = {"kind": "webhook", "url": url, "every_job": every_job, "signature": signature}
        wanted |= given(events=None if events is None else list(events), label=label or None)
        return await self._added(wanted, None, idempotency_key)

    async def add_email(
        self,
        address: str = "",
        *,
        language: Language = "en",
        events: Sequence[EventName] | None = None,
        every_job: bool = True,
        label: str = "",
        idempotency_key: str | None = None,
    ) -> ChannelWithSecret:
        """E-mails to `address`, or to that of the token. Unless the token vouches for it, `confirm` has to follow."""
        wanted = {"kind": "email", "address": address, "language": language, "every_job": every_job, "label": label}
        return await self._added(wanted, events, idempotency_key)

    async def add_apprise(
        self,
        url: str = "",
        *,
        name: str = "",
        language: Language = "en",
        events: Sequence[EventName] | None = None,
        every_job: bool = True,
        label: str = "",
        idempotency_key: str | None = None,
    ) -> ChannelWithSecret:
        """Messages to an apprise `url` of your own, or to the place of this `name`; see `kinds`."""
        where = {"url": url} if url else {"name": name}
        wanted = {"kind": "apprise", **where, "language": language, "every_job": every_job, "label": label}
        return await self._added(wanted, events, idempotency_key)

    async def _added(
        self, wanted: dict[str, Any], events: Sequence[EventName] | None, key: str | None
    ) -> ChannelWithSecret:
        wanted |= given(events=None if events is None else list(events))
        # With a key in any case, so that a repeated request makes no second channel.
        headers = key_header(key)
        return read(await self._transport.request("POST", PATH, json=wanted, headers=headers), ChannelWithSecret)

    async def confirm(self, channel_id: str, code: str) -> Channel:
        """Confirm it with the code that was mailed. ApiError `wrong_code` or `code_over`."""
        path = _path(channel_id, "/confirm")
        return read(await self._transport.request("POST", path, json={"code": code}, repeatable=False), Channel)

    async def send_code(self, channel_id: str) -> Channel:
        """Have another code mailed. `status` is `active` if none was needed. ApiError `codes_limited`."""
        return read(await self._transport.request("POST", _path(channel_id, "/code"), repeatable=False), Channel)

    async def kinds(self) -> ChannelKinds:
        """What the installation offers you."""
        return read(await self._transport.request("GET", KINDS), ChannelKinds)

    async def all(self) -> ChannelList:
        """All of them, the oldest first."""
        return read(await self._transport.request("GET", PATH), ChannelList)

    async def get(self, channel_id: str) -> Channel:
        return read(await self._transport.request("GET", _path(channel_id)), Channel)

    async def change(
        self,
        channel_id: str,
        *,
        events: Sequence[EventName] | None = None,
        every_job: bool | None = None,
        label: str | None = None,
        url: str | None = None,
    ) -> Channel:
        """Change what is given; `url` of webhooks only."""
        wanted = given(events=None if events is None else list(events), every_job=every_job, label=label, url=url)
        return read(await self._transport.request("PATCH", _path(channel_id), json=wanted), Channel)

    async def remove(self, channel_id: str) -> ChannelRemoved:
        """Remove it with its deliveries, those that wait included."""
        return read(await self._transport.request("DELETE", _path(channel_id)), ChannelRemoved)

    async def rotate(self, channel_id: str) -> ChannelWithSecret:
        """A new secret; the one before signs too for 24 hours."""
        answer = await self._transport.request("POST", _path(channel_id, "/rotate"), repeatable=False)
        return read(answer, ChannelWithSecret)

    async def enable(self, channel_id: str) -> Channel:
        """Deliver to it again. ApiError `channel_unconfirmed`: see `send_code`."""
        return read(await self._transport.request("POST", _path(channel_id, "/enable")), Channel)

    async def test(self, channel_id: str) -> Delivery:
        """Send a test; `deliveries` tells what came of it."""
        return read(await self._transport.request("POST", _path(channel_id, "/test"), repeatable=False), Delivery)

    async def deliveries(
        self, channel_id: str, *, status: DeliveryState | None = None, limit: int = 20, cursor: str | None = None
    ) -> DeliveryPage:
        """What was told and what was tried, the latest event first; `cursor` is a page's `next_cursor`."""
        params = given(status=status, limit=limit, cursor=cursor)
        answer = await self._transport.request("GET", _path(channel_id, "/deliveries"), params=params)
        return read(answer, DeliveryPage)

    async def redeliver(self, delivery_id: str) -> Delivery:
        """Deliver it again, with the same id."""
        path = f"{DELIVERIES}/{path_id(delivery_id)}/redeliver"
        return read(await self._transport.request("POST", path, repeatable=False), Delivery)


def _path(channel_id: str, rest: str = "") -> str:
    return f"{PATH}/{path_id(channel_id)}{rest}"
