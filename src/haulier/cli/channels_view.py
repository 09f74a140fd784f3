"""What a person sees of channels."""

import sys

from msgspec import UNSET

from haulier.cli.failures import say
from haulier.cli.printing import print_table, table
from haulier.cli.words import one_line
from haulier.wire_channels import Channel, ChannelList, ChannelWithSecret, Delivery, DeliveryPage, DeliveryTry


def print_channels(found: ChannelList) -> None:
    """A line for each channel."""
    if not found.channels:
        say("No channels. `haulier channels add-webhook URL` adds one.")
        return
    lines = table("channel", "kind", "to", "hears of", "status", "label", folds=("to", "status", "label"))
    for channel in found.channels:
        lines.add_row(
            channel.channel_id,
            channel.kind,
            one_line(channel.target),
            _events(channel),
            _status(channel),
            one_line(channel.label),
        )
    print_table(lines)


def print_secret(made: ChannelWithSecret) -> None:
    """The id, and what is shown only now."""
    sys.stdout.write(f"channel     {made.channel_id}\n")
    if made.secret is not UNSET:
        sys.stdout.write(f"secret      {made.secret}\n")
    if made.public_key is not UNSET:
        sys.stdout.write(f"public key  {made.public_key}\n")
    sys.stdout.flush()
    say("Keep it: it is not shown again.")


def print_log(page: DeliveryPage) -> None:
    """A line for each delivery, with its latest attempt."""
    if not page.deliveries:
        say("Nothing was delivered yet.")
        return
    lines = table("delivery", "event", "at", "status", "attempts", "answer", "reason", folds=("reason",))
    for delivery in page.deliveries:
        last = delivery.attempts[-1] if delivery.attempts else None
        lines.add_row(
            delivery.delivery_id,
            delivery.event,
            delivery.at,
            delivery.status,
            str(len(delivery.attempts)),
            "" if last is None or last.answer is UNSET else str(last.answer),
            _reason(delivery, last),
        )
    print_table(lines)


def _reason(delivery: Delivery, last: DeliveryTry | None) -> str:
    reason = "" if last is None or last.reason is UNSET else one_line(last.reason)
    if delivery.next_attempt_at is UNSET:
        return reason
    return f"{reason}; next at {delivery.next_attempt_at}" if reason else f"next at {delivery.next_attempt_at}"


def _events(channel: Channel) -> str:
    events = ", ".join(event.removeprefix("job.") for event in channel.events)
    return events if channel.every_job else f"{events} (named only)"


def _status(channel: Channel) -> str:
    if channel.disabled_reason is not UNSET:
        return f"{channel.status}: {one_line(channel.disabled_reason)}"
    if channel.failing_since is not UNSET:
        return f"{channel.status} since {channel.failing_since}"
    return channel.status
