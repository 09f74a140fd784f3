"""The JSON shapes of channels, their deliveries, and the messages that webhooks carry; see wire.py."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from haulier.wire import JobError, JobId, Params, StatusName, Time

ChannelId = Annotated[str, Meta(description="UUID of a channel.", extra_json_schema={"format": "uuid"})]
DeliveryId = Annotated[str, Meta(description="UUID of a delivery.", extra_json_schema={"format": "uuid"})]
EventName = Literal["job.completed", "job.failed", "job.cancelled"]
ALL_EVENTS: tuple[EventName, ...] = ("job.completed", "job.failed", "job.cancelled")
Events = Annotated[
    tuple[EventName, ...], Meta(min_length=1, max_length=3, description="Which outcomes the channel hears of.")
]
Label = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", description="A name of your own for it.")]
EveryJob = Annotated[bool, Meta(description="False: it hears only of jobs that name it in `notify`.")]
Url = Annotated[str, Meta(min_length=1, max_length=2_048, description="Where messages are posted to, https.")]
DeliveryState = Literal["pending", "sending", "delivered", "failed", "unknown"]


class NewChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every kind of channel can be told."""

    events: Events = ALL_EVENTS
    every_job: EveryJob = True
    label: Label = ""


class NewWebhook(NewChannel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="webhook"):
    """A webhook: messages are posted to `url`, signed as Standard Webhooks says."""

    url: Url
    signature: Annotated[
        Literal["hmac", "ed25519"],
        Meta(description="A shared secret (v1), or a key pair of which you get one half (v1a)."),
    ] = "hmac"


class ChannelChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is. `url` is for webhooks."""

    events: Events | UnsetType = UNSET
    every_job: EveryJob | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    url: Url | UnsetType = UNSET


class Channel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel. `target` shows where it leads without what is secret there.

    `failing_since`: its first failed attempt since the last delivered one. Nothing is sent while it is disabled, or not
    confirmed yet.
    """

    channel_id: ChannelId
    kind: str
    label: str
    target: str
    events: tuple[str, ...]
    every_job: bool
    status: Literal["active", "failing", "disabled", "unconfirmed"]
    created_at: Time
    updated_at: Time
    failing_since: Time | UnsetType = UNSET
    disabled_at: Time | UnsetType = UNSET
    disabled_reason: str | UnsetType = UNSET


class ChannelWithSecret(Channel, frozen=True, kw_only=True, omit_defaults=True):
    """A new channel, or one with a new secret: only here `secret` (whsec_…) or `public_key` (whpk_…) is shown."""

    secret: str | UnsetType = UNSET
    public_key: str | UnsetType = UNSET


class ChannelList(msgspec.Struct, frozen=True):
    """All channels of a user, the oldest first; there are at most `limit`."""

    channels: tuple[Channel, ...]
    limit: int


class ChannelRemoved(msgspec.Struct, frozen=True):
    channel_id: ChannelId
    removed: Literal[True] = True


class DeliveryTry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of a delivery: what came of it, what was answered, and why it did not arrive."""

    number: int
    at: Time
    outcome: Literal["delivered", "again", "failed", "unknown"]
    duration_ms: int | UnsetType = UNSET
    answer: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event for one channel. `next_attempt_at` while it is pending."""

    delivery_id: DeliveryId
    channel_id: ChannelId
    event: str
    at: Time
    status: DeliveryState
    attempts: tuple[DeliveryTry, ...]
    job_id: JobId | UnsetType = UNSET
    next_attempt_at: Time | UnsetType = UNSET
    ended_at: Time | UnsetType = UNSET


class DeliveryPage(msgspec.Struct, frozen=True):
    """A channel's deliveries, the latest event first. `next_cursor` continues behind the last, null at the end."""

    deliveries: tuple[Delivery, ...]
    limit: int
    next_cursor: str | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a job ended, as a message tells it: like its status, without any signed URL. `file_url` needs the token."""

    job_id: JobId
    status: StatusName
    version: int
    file_id: int | None
    page_url: str
    created_at: Time
    completed_at: Time
    file_ids: tuple[int, ...] | UnsetType = UNSET
    params: Params | UnsetType = UNSET
    started_at: Time | UnsetType = UNSET
    file_url: str | UnsetType = UNSET
    file_name: str | UnsetType = UNSET
    file_size: int | UnsetType = UNSET
    sha256: str | UnsetType = UNSET
    expires_at: Time | UnsetType = UNSET
    error: JobError | UnsetType = UNSET
    retry_of: JobId | UnsetType = UNSET
    batch_id: JobId | UnsetType = UNSET


class OutcomeMessage(msgspec.Struct, frozen=True):
    """The body of a webhook about a job. `timestamp` is when it ended; the same over all attempts."""

    type: EventName
    timestamp: Time
    data: Outcome


class Trial(msgspec.Struct, frozen=True):
    """What a test says."""

    channel_id: ChannelId
    message: str


class TrialMessage(msgspec.Struct, frozen=True):
    """The body of a webhook that was asked for as a test."""

    type: Literal["test"]
    timestamp: Time
    data: Trial
