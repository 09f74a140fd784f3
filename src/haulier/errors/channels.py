"""Errors of channels and what is delivered over them."""

from haulier.errors.base import HaulierError


class ChannelsOff(HaulierError):
    code, status, title = "channels_off", 404, "No channels"
    sentence = "This installation has no key to keep channels with; its operator sets HAULIER_CHANNEL_KEY."


class ChannelNotFound(HaulierError):
    code, status, title = "channel_not_found", 404, "Channel not found"
    sentence = "There is no such channel, or it is not yours."


class ChannelKindOff(HaulierError):
    code, status, title = "channel_kind_off", 404, "Kind of channel not offered"
    sentence = "This installation offers no channels of kind {kind}; its operator switches them on with {setting}."


class WrongCode(HaulierError):
    code, status, title = "wrong_code", 400, "Wrong code"
    sentence = "This is not the code that was mailed to you; tries left: {left}."


class StopLinkUnknown(HaulierError):
    code, status, title = "stop_link_unknown", 404, "Nothing to switch off"
    sentence = "This link switches nothing off: it is not complete, or its channel was removed."


class DeliveryNotFound(HaulierError):
    code, status, title = "delivery_not_found", 404, "Delivery not found"
    sentence = "There is no such delivery, or it is not yours."


class TooManyChannels(HaulierError):
    code, status, title = "too_many_channels", 409, "Too many channels"
    sentence = "You have {limit} channels already; remove one first."


class ChannelExists(HaulierError):
    code, status, title = "channel_exists", 409, "Channel exists"
    sentence = (
        "Your channel {channel_id} leads there already: with other wishes, switched off, or not confirmed yet."
        " Change it, switch it on, confirm it, or remove it."
    )


class ChannelDisabled(HaulierError):
    code, status, title = "channel_disabled", 409, "Channel disabled"
    sentence = "Nothing is delivered to this channel ({reason})."


class ChannelUnconfirmed(HaulierError):
    code, status, title = "channel_unconfirmed", 409, "Channel not confirmed"
    sentence = "Its receiver has to confirm this channel. Have a code mailed (POST /v1/channels/{{channel_id}}/code)."


class ChannelChanged(HaulierError):
    code, status, title = "channel_changed", 409, "Channel changed"
    sentence = "The channel was changed by another request at the same time. Look at it and try again."


class NothingToRotate(HaulierError):
    code, status, title = "nothing_to_rotate", 409, "Nothing to rotate"
    sentence = "A channel of kind {kind} has no secret that could be changed."


class CodeNotRedelivered(HaulierError):
    code, status, title = "code_not_redelivered", 409, "A code is not delivered again"
    sentence = "A code is not mailed twice, and this channel is confirmed already."


class DeliveryUnderWay(HaulierError):
    code, status, title = "delivery_under_way", 409, "Delivery under way"
    sentence = "This delivery is being sent right now."


class CodeOver(HaulierError):
    code, status, title = "code_over", 410, "Code not good any more"
    sentence = (
        "The code has expired or was tried too often. Have another one mailed (POST /v1/channels/{{channel_id}}/code)."
    )


class RotationsLimited(HaulierError):
    code, status, title = "rotations_limited", 429, "Changed too often"
    sentence = "A secret signs for a day after it was changed, and {limit} sign already. Try again in {wait_s} s."


class SendingRateLimited(HaulierError):
    code, status, title = "sending_rate_limited", 429, "Too many tests"
    sentence = "You may ask for {limit} tests and redeliveries a minute. Try again in {wait_s} s."


class CodesLimited(HaulierError):
    code, status, title = "codes_limited", 429, "Too many codes"
    sentence = "Too many codes were asked for, by you or for this address. Try again in {wait_s} s."
