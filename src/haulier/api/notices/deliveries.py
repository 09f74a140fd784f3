"""What was told to a channel: the log, tests, and telling it once more."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta

from haulier.api.exchange import PRIVATE, Answer, Exchange, json_answer
from haulier.api.notices.channels import PATH as CHANNELS
from haulier.api.notices.channels import check_on, opened, own_channel
from haulier.api.paging import cursor, foreign_cursor, next_link, raw_of
from haulier.api.ratelimits import MINUTE_S, seconds_until
from haulier.api.requests import delivery_id_of, query_of
from haulier.api.services import Services
from haulier.clock import wire_time
from haulier.errors import (
    ChannelDisabled,
    ChannelNotFound,
    CodeNotRedelivered,
    DeliveryNotFound,
    DeliveryUnderWay,
    SendingRateLimited,
)
from haulier.ledger import SENDING_RATE, Channel, Delivery, DeliveryAttempt
from haulier.wire_channels import Delivery as DeliveryView
from haulier.wire_channels import DeliveryPage, DeliveryState, DeliveryTry

PATH = "/v1/deliveries"
CODE = "confirm"  # the event that mails a code
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = struct.Struct(">q16s")  # when it happened, in microseconds since 1970, and the delivery's id


class DeliveriesQuery(msgspec.Struct, frozen=True):
    status: Annotated[DeliveryState | None, Meta(description="Only deliveries with this status.")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Most deliveries on a page.")] = 20
    cursor: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="next_cursor of the page before.")
    ] = None


async def deliveries(exchange: Exchange, services: Services) -> Answer:
    """One page of a channel's deliveries with all their attempts."""
    query = query_of(exchange, DeliveriesQuery)
    channel = await own_channel(exchange, services)
    before = None if query.cursor is None else _position(query.cursor)
    found = await services.ledger.deliveries.page(channel.id, status=query.status, limit=query.limit + 1, before=before)
    shown, has_more = found[: query.limit], len(found) > query.limit
    tries = await services.ledger.deliveries.attempts([delivery.id for delivery in shown])
    page = DeliveryPage(
        deliveries=tuple(view(delivery, tries[delivery.id]) for delivery in shown),
        limit=query.limit,
        next_cursor=_cursor(shown[-1]) if has_more else None,
    )
    if page.next_cursor is None:
        return json_answer(page)
    parameters = msgspec.structs.asdict(query) | {"cursor": page.next_cursor}
    url = f"{services.settings.base_url}{CHANNELS}/{channel.id}/deliveries"
    return json_answer(page, headers=(*PRIVATE, next_link(url, parameters)))


async def test(exchange: Exchange, services: Services) -> Answer:
    """Queue a delivery of the event `test`."""
    channel = await own_channel(exchange, services)
    _check_active(channel)
    _check_offered(channel, exchange, services)
    await _count(exchange, services)
    queued = await services.ledger.deliveries.queue_test(
        services.new_id(), channel_id=channel.id, user_id=channel.user_id
    )
    if queued is None:  # removed or switched off since
        _check_active(await own_channel(exchange, services))
        raise ChannelNotFound
    return json_answer(view(queued, []), status=202)


async def redeliver(exchange: Exchange, services: Services) -> Answer:
    """Deliver it again; one that waits for its next attempt is tried now."""
    check_on(services)
    delivery_id, user_id = delivery_id_of(exchange), exchange.caller.user_id
    delivery = await services.ledger.deliveries.get(delivery_id, user_id=user_id)
    channel = delivery and await services.ledger.channels.get(delivery.channel_id, user_id=user_id)
    if delivery is None or channel is None:
        raise DeliveryNotFound
    _check_active(channel)
    if delivery.event == CODE:
        raise CodeNotRedelivered
    _check_offered(channel, exchange, services)
    await _count(exchange, services)
    queued = await services.ledger.deliveries.redeliver(delivery_id)
    if queued is None:
        now = await services.ledger.channels.get(channel.id, user_id=user_id)
        if now is None:
            raise DeliveryNotFound
        _check_active(now)
        raise DeliveryUnderWay
    tries = await services.ledger.deliveries.attempts([delivery_id])
    return json_answer(view(queued, tries[delivery_id]), status=202)


def view(delivery: Delivery, tries: list[DeliveryAttempt]) -> DeliveryView:
    """The delivery as the wire shows it."""
    return DeliveryView(
        delivery_id=str(delivery.id),
        channel_id=str(delivery.channel_id),
        job_id=str(delivery.job_id) if delivery.job_id else UNSET,
        event=delivery.event,
        at=wire_time(delivery.at),
        status=delivery.status,
        attempts=tuple(map(_try, tries)),
        next_attempt_at=wire_time(delivery.due_at) if delivery.due_at else UNSET,
        ended_at=wire_time(delivery.ended_at) if delivery.ended_at else UNSET,
    )


def _try(attempt: DeliveryAttempt) -> DeliveryTry:
    return DeliveryTry(
        number=attempt.number,
        at=wire_time(attempt.at),
        outcome=attempt.outcome,
        duration_ms=UNSET if attempt.duration_ms is None else attempt.duration_ms,
        answer=attempt.answer or UNSET,
        reason=attempt.reason or UNSET,
    )


def _check_active(channel: Channel) -> None:
    if channel.is_off:
        raise ChannelDisabled(reason=f"it is disabled: {channel.disabled_reason or 'its receiver wants nothing more'}")
    if not channel.confirmed:
        raise ChannelDisabled(reason="it is not confirmed yet")


def _check_offered(channel: Channel, exchange: Exchange, services: Services) -> None:
    """Raise ChannelDisabled where the operator offers the place to other roles only: a test has no job to look at."""
    name = opened(channel, services).get("name") if channel.kind == "apprise" else None
    place = services.settings.apprise_places.get(name) if name else None
    if place is not None and not place.is_for(exchange.caller.role):
        raise ChannelDisabled(reason=f"the operator does not offer this place to the role {exchange.caller.role}")


async def _count(exchange: Exchange, services: Services) -> None:
    """Raise SendingRateLimited beyond SENDING_RATE a minute."""
    used = await services.ledger.channels.count_sending(exchange.caller.user_id)
    if used is not None:
        wait_s = seconds_until(used.resets_at, now=services.clock.now(), most=MINUTE_S)
        raise SendingRateLimited(limit=SENDING_RATE, wait_s=wait_s, retry_after_s=wait_s)


def _cursor(delivery: Delivery) -> str:
    return cursor(_CURSOR.pack((delivery.at - _EPOCH) // timedelta(microseconds=1), delivery.id.bytes))


def _position(text: str) -> tuple[datetime, UUID]:
    microseconds, delivery_id = _CURSOR.unpack(raw_of(text, size=_CURSOR.size))
    try:
        return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=delivery_id)
    except OverflowError:
        raise foreign_cursor() from None
