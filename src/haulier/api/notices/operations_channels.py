"""The part of the table of operations that is about channels and deliveries."""

from haulier import errors, wire_channels
from haulier.api.notices import channels, deliveries
from haulier.api.notices.channel_kinds import NEW_CHANNELS
from haulier.api.operation import BODY_ERRORS, IDEMPOTENCY_KEY, LINK, Operation, Reply

_ALWAYS = (errors.ChannelsOff, errors.LedgerUnavailable)
ONE_CHANNEL_ERRORS = (errors.ChannelNotFound, *_ALWAYS)
PATH = channels.PATH

CHANNEL_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="create_channel",
        method="POST",
        path=PATH,
        handler=channels.create,
        summary="A place that hears how your jobs end",
        body=NEW_CHANNELS[0],
        or_bodies=NEW_CHANNELS[1:],
        example='{"kind": "webhook", "url": "https://example.com/hook"}',
        headers=(IDEMPOTENCY_KEY,),
        replies={201: Reply("The channel, with its secret: it is not shown again.", wire_channels.ChannelWithSecret)},
        errors=(
            *BODY_ERRORS,
            errors.ChannelKindOff,
            errors.TooManyChannels,
            errors.ChannelExists,
            errors.ChannelChanged,
            errors.IdempotencyMismatch,
            errors.CodesLimited,
            *_ALWAYS,
        ),
    ),
    Operation(
        name="channels",
        method="GET",
        path=PATH,
        handler=channels.channels,
        summary="Your channels",
        replies={200: Reply("All of them.", wire_channels.ChannelList)},
        errors=_ALWAYS,
    ),
    Operation(
        name="channel",
        method="GET",
        path=f"{PATH}/{{channel_id}}",
        handler=channels.channel,
        summary="One channel",
        replies={200: Reply("The channel.", wire_channels.Channel)},
        errors=ONE_CHANNEL_ERRORS,
    ),
    Operation(
        name="change_channel",
        method="PATCH",
        path=f"{PATH}/{{channel_id}}",
        handler=channels.change,
        summary="Change what a channel hears of, or where it leads",
        body=wire_channels.ChannelChange,
        example='{"events": ["job.failed"], "label": "alerts"}',
        replies={200: Reply("The channel as it is now.", wire_channels.Channel)},
        errors=(*BODY_ERRORS, errors.ChannelChanged, *ONE_CHANNEL_ERRORS),
    ),
    Operation(
        name="remove_channel",
        method="DELETE",
        path=f"{PATH}/{{channel_id}}",
        handler=channels.remove,
        summary="Remove a channel and its deliveries",
        replies={200: Reply("It is gone.", wire_channels.ChannelRemoved)},
        errors=ONE_CHANNEL_ERRORS,
    ),
    Operation(
        name="rotate_channel",
        method="POST",
        path=f"{PATH}/{{channel_id}}/rotate",
        handler=channels.rotate,
        summary="A new secret; the one before signs too for 24 hours",
        replies={
            200: Reply("The channel, with its new secret: it is not shown again.", wire_channels.ChannelWithSecret)
        },
        errors=(errors.NothingToRotate, errors.RotationsLimited, errors.ChannelChanged, *ONE_CHANNEL_ERRORS),
    ),
    Operation(
        name="enable_channel",
        method="POST",
        path=f"{PATH}/{{channel_id}}/enable",
        handler=channels.enable,
        summary="Deliver to a disabled channel again",
        replies={200: Reply("The channel.", wire_channels.Channel)},
        errors=(errors.ChannelUnconfirmed, *ONE_CHANNEL_ERRORS),
    ),
    Operation(
        name="test_channel",
        method="POST",
        path=f"{PATH}/{{channel_id}}/test",
        handler=deliveries.test,
        summary="Send a test to a channel",
        replies={202: Reply("The delivery; its log tells what came of it.", wire_channels.Delivery)},
        errors=(errors.ChannelDisabled, errors.SendingRateLimited, *ONE_CHANNEL_ERRORS),
    ),
    Operation(
        name="deliveries",
        method="GET",
        path=f"{PATH}/{{channel_id}}/deliveries",
        handler=deliveries.deliveries,
        summary="What was delivered to a channel, and what was tried",
        query=deliveries.DeliveriesQuery,
        replies={200: Reply("One page, the latest event first.", wire_channels.DeliveryPage, (LINK,))},
        errors=(errors.InvalidRequest, *ONE_CHANNEL_ERRORS),
    ),
    Operation(
        name="redeliver",
        method="POST",
        path=f"{deliveries.PATH}/{{delivery_id}}/redeliver",
        handler=deliveries.redeliver,
        summary="Deliver something once more, with the same id",
        replies={202: Reply("The delivery, due now.", wire_channels.Delivery)},
        errors=(
            errors.DeliveryNotFound,
            errors.DeliveryUnderWay,
            errors.CodeNotRedelivered,
            errors.ChannelDisabled,
            errors.SendingRateLimited,
            *_ALWAYS,
        ),
    ),
)
