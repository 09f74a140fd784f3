"""All that is told without being asked each time, in one table: event streams, the WebSocket, webhooks.

The AsyncAPI document is made from it.
"""

from collections.abc import Mapping

import msgspec

from haulier import wire, wire_live
from haulier.api.live.events import EventsQuery
from haulier.api.live.handshake import SocketQuery
from haulier.api.notices.openapi_webhooks import HEADERS
from haulier.api.operations import Header
from haulier.wire_channels import OutcomeMessage, TrialMessage


class Message(msgspec.Struct, frozen=True):
    """One kind of message: a name of its own, the shape of its body, and `event`, its name in an event stream."""

    name: str
    shape: type[msgspec.Struct]
    summary: str
    event: str = ""
    id_: str = ""
    headers: tuple[Header, ...] = ()


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One place where messages come and go; `sends` and `receives` are the API's view. `address` None: the user's."""

    name: str
    address: str | None
    summary: str
    sends: tuple[Message, ...]
    receives: tuple[Message, ...] = ()
    query: type[msgspec.Struct] | None = None
    is_socket: bool = False


_END = Message("stream_end", wire_live.StreamEnd, "Why the stream ends; connect again unless the job is over.", "end")

# The bodies of webhooks, from wire_channels: one message for each, with the headers that it is signed by.
_SIGNED = tuple(Header(name, text) for name, text in HEADERS.items())
_WEBHOOKS: tuple[Message, ...] = (
    Message("outcome", OutcomeMessage, "How a job ended.", headers=_SIGNED),
    Message("test", TrialMessage, "What POST /v1/channels/{channel_id}/test sends.", headers=_SIGNED),
)

STREAMS = (
    Stream(
        name="job_events",
        address="/v1/download/events/{job_id}",
        summary="One job as server-sent events, until it is over.",
        query=EventsQuery,
        sends=(
            Message("job_status", wire.JobStatus, "The job, now and at each change.", "status", "The job's version."),
            _END,
        ),
    ),
    Stream(
        name="events",
        address="/v1/download/events",
        summary="All jobs of the caller as server-sent events.",
        sends=(
            Message("any_job_status", wire.JobStatus, "A job, now and at each change.", "status", "Where to go on."),
            Message(
                "stream_ready", wire_live.StreamReady, "All jobs that live have been told.", "ready", "Where to go on."
            ),
            _END,
        ),
    ),
    Stream(
        name="socket",
        address="/ws",
        summary="Any number of jobs over one WebSocket; a token in the header, a ticket, or `auth` first.",
        query=SocketQuery,
        is_socket=True,
        sends=(
            Message("ready", wire_live.Ready, "The token is accepted."),
            Message("status", wire_live.StatusMessage, "A job that is subscribed, now and at each change."),
            Message("subscribed", wire_live.Subscribed, "All that was known has been told."),
            Message("unsubscribed", wire_live.Unsubscribed, "Nothing more of it will come."),
            Message("pong", wire_live.Pong, "The answer to a ping."),
            Message("error", wire_live.ErrorMessage, "A message did not work out; the connection goes on."),
        ),
        receives=(
            Message("auth", wire_live.Auth, "Who connects, or a newer token."),
            Message("subscribe", wire_live.Subscribe, "Follow a job, or all."),
            Message("unsubscribe", wire_live.Unsubscribe, "Follow it no more."),
            Message("ping", wire_live.Ping, "Answered by pong."),
        ),
    ),
    Stream(name="webhooks", address=None, summary="Posted to the URL of a webhook.", sends=_WEBHOOKS),
)


def messages() -> Mapping[str, Message]:
    """All messages by their names."""
    return {message.name: message for each in STREAMS for message in (*each.sends, *each.receives)}
