"""A receiver of webhooks on the loopback, and steps that tests of channels take."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from haulier.wire_channels import OutcomeMessage, TrialMessage
from tests.api_client import ApiClient
from tests.loopback import Handler, Loopback, Reply, Seen, loopback
from tests.waiting import eventually

HOOK = "/hook"


class Receiver:
    """Answers POSTs to `url` with `replies` in turn; the last one stays."""

    def __init__(self, server: Loopback) -> None:
        self._server = server
        self.url = f"{server.url}{HOOK}"

    def answers(self, *replies: Reply | Handler) -> None:
        self._server.on("POST", HOOK, *replies)

    @property
    def seen(self) -> list[Seen]:
        return self._server.to(HOOK)

    async def got(self, count: int = 1) -> list[Seen]:
        """The messages, once there are `count`."""
        await eventually(lambda: len(self.seen) >= count)
        return self.seen


def message(seen: Seen) -> Any:
    """The body, which has to be just what OpenAPI says."""
    told = msgspec.json.decode(seen.body)
    shape = TrialMessage if told["type"] == "test" else OutcomeMessage
    assert msgspec.json.encode(msgspec.json.decode(seen.body, type=shape)) == seen.body
    return told


@asynccontextmanager
async def receiver(*replies: Reply | Handler) -> AsyncGenerator[Receiver]:
    """A receiver; 204 unless said."""
    async with loopback() as server:
        found = Receiver(server)
        found.answers(*replies or (Reply(204),))
        yield found


async def webhook(api: ApiClient, url: str, **fields: Any) -> dict[str, Any]:
    """A webhook of anna's."""
    user = fields.pop("user", "anna")
    answer = await api.post("/v1/channels", {"kind": "webhook", "url": url} | fields, user=user)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def log_of(api: ApiClient, channel: dict[str, Any], **request: Any) -> list[dict[str, Any]]:
    """The channel's deliveries, the latest first."""
    answer = await api.get(f"/v1/channels/{channel['channel_id']}/deliveries", **request)
    assert answer.status_code == 200, answer.text
    return answer.json()["deliveries"]


async def over(api: ApiClient, channel: dict[str, Any]) -> dict[str, Any]:
    """The channel's latest delivery, once it is over."""

    async def look() -> dict[str, Any] | None:
        found = await log_of(api, channel)
        return found[0] if found and "ended_at" in found[0] else None

    return await eventually(look)
