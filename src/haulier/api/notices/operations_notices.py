"""The part of the table of operations about confirming channels, switching them off, and what kinds there are."""

from haulier import errors, wire_channel_kinds, wire_channels
from haulier.api.notices import channels, confirming, offering
from haulier.api.notices.operations_channels import ONE_CHANNEL_ERRORS
from haulier.api.operation import BODY_ERRORS, Operation, Reply

NOTICE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="channel_kinds",
        method="GET",
        path="/v1/channel-kinds",
        handler=offering.channel_kinds,
        summary="Which kinds of channels there are for you",
        replies={200: Reply("The kinds.", wire_channel_kinds.ChannelKinds)},
    ),
    Operation(
        name="push_key",
        method="GET",
        path="/v1/push-key",
        handler=offering.push_key,
        summary="The public key to subscribe a browser with",
        replies={200: Reply("The key.", wire_channel_kinds.PushKey)},
        errors=(errors.ChannelKindOff,),
        secured=False,
    ),
    Operation(
        name="confirm_channel",
        method="POST",
        path=f"{channels.PATH}/{{channel_id}}/confirm",
        handler=confirming.confirm,
        summary="Confirm a channel with the code that was mailed",
        body=wire_channel_kinds.ConfirmRequest,
        example='{"code": "123456"}',
        replies={200: Reply("The channel, confirmed.", wire_channels.Channel)},
        errors=(
            *BODY_ERRORS,
            errors.WrongCode,
            errors.CodeOver,
            errors.ChannelChanged,
            *ONE_CHANNEL_ERRORS,
        ),
    ),
    Operation(
        name="send_code",
        method="POST",
        path=f"{channels.PATH}/{{channel_id}}/code",
        handler=confirming.send_code,
        summary="Have another code mailed",
        replies={200: Reply("The channel; confirmed, if your token vouches for its address.", wire_channels.Channel)},
        errors=(errors.ChannelKindOff, errors.CodesLimited, errors.ChannelChanged, *ONE_CHANNEL_ERRORS),
    ),
    Operation(
        name="stop_page",
        method="GET",
        path=confirming.STOP_PATH,
        handler=confirming.stop_page,
        summary="A page that asks whether to switch a channel off",
        query=confirming.StopQuery,
        replies={200: Reply("The page.", is_file=True)},
        errors=(errors.InvalidRequest, errors.StopLinkUnknown, errors.ChannelsOff, errors.LedgerUnavailable),
        secured=False,
    ),
    Operation(
        name="stop",
        method="POST",
        path=confirming.STOP_PATH,
        handler=confirming.stop,
        summary="Switch a channel off by the link in its e-mails (RFC 8058)",
        query=confirming.StopQuery,
        replies={200: Reply("It is off; a page says so.", is_file=True)},
        errors=(errors.InvalidRequest, errors.StopLinkUnknown, errors.ChannelsOff, errors.LedgerUnavailable),
        secured=False,
    ),
)
