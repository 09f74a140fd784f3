"""The JSON shapes of live connections: what a WebSocket says in both directions, and what ends an event stream."""

from enum import IntEnum
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from haulier.wire import JobStatus, Time

MAX_MESSAGE_BYTES = 65_536
MAX_TOKEN_CHARACTERS = 8_192
AUTH_WITHIN_S = 5
MOST_SUBSCRIPTIONS = 500
MESSAGES_PER_S = 20
MESSAGES_AT_ONCE = 100
MALFORMED_MESSAGES = 5
MAX_ID_CHARACTERS = 64

NamedJob = Annotated[str, Meta(max_length=MAX_ID_CHARACTERS, description="A job's id.")]
All = Annotated[bool, Meta(description="All jobs of the caller, new ones included, instead of one job.")]


class CloseCode(IntEnum):
    """Why the server closes a WebSocket."""

    TOO_LARGE = 1009
    FAILED = 1011
    STOPPING = 1012
    TRY_LATER = 1013
    MALFORMED = 4400
    UNAUTHENTICATED = 4401
    TOO_SLOW = 4408
    EXPIRED = 4410
    FLOODING = 4429

    @property
    def reason(self) -> str:
        """One sentence, sent along with the code."""
        return _REASONS[self]


_REASONS = {
    CloseCode.TOO_LARGE: "A message may have 64 KiB.",
    CloseCode.FAILED: "Something went wrong on our side, or you answered no ping. Connect again.",
    CloseCode.STOPPING: "This server stops. Connect again in a moment.",
    CloseCode.TRY_LATER: "The service is busy. Connect again in a few seconds.",
    CloseCode.MALFORMED: "Too many messages could not be read.",
    CloseCode.UNAUTHENTICATED: "Send a valid token first, within 5 s.",
    CloseCode.TOO_SLOW: "You took nothing for 20 s, or too little.",
    CloseCode.EXPIRED: "The token has expired. Connect again with a new one.",
    CloseCode.FLOODING: "Too many messages, or too many connections.",
}


class Ticket(msgspec.Struct, frozen=True):
    """Opens one WebSocket, once, until `expires_at`: for browsers, which cannot send an Authorization header there."""

    ticket: str
    expires_at: Time


class _FromClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class _FromServer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    pass


# ---- what a client says


class Auth(_FromClient, frozen=True, tag="auth"):
    """Who connects, within 5 s, unless a header or a ticket has said it; later a newer token of the same user."""

    token: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_CHARACTERS)]


class _Choice(_FromClient, frozen=True):
    job_id: NamedJob | UnsetType = UNSET
    all: All = False

    def __post_init__(self) -> None:
        if (self.job_id is UNSET) != self.all:
            raise ValueError("must name a job_id, or say all: true, and not both")


class Subscribe(_Choice, frozen=True, tag="subscribe"):
    """Follow one job, or all jobs of the caller: first how it stands, then `subscribed`, then each change.

    With `since`, the `cursor` that came last on an earlier connection, also the jobs that ended meanwhile.
    """

    since: Annotated[str, Meta(pattern="^[0-9]{0,14}$", description="Of all jobs: a cursor to go on from.")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.since and not self.all:
            raise ValueError("must say all: true with since")


class Unsubscribe(_Choice, frozen=True, tag="unsubscribe"):
    """Follow it no more; nothing of it comes after `unsubscribed`."""


class Ping(_FromClient, frozen=True, tag="ping"):
    """For clients that cannot see the pings of the protocol."""


ClientMessage: TypeAlias = Auth | Subscribe | Unsubscribe | Ping


# ---- what the server says


class Ready(_FromServer, frozen=True, tag="ready"):
    """The token is accepted; subscriptions may come."""


class StatusMessage(JobStatus, frozen=True, tag_field="type", tag="status"):
    """How a job stands: the status object. A client drops one whose `version` is below what it has of the job.

    One that is told among all jobs has a `cursor`: what a later connection says as `since`.
    """

    cursor: str | UnsetType = UNSET


class _Chosen(_FromServer, frozen=True):
    job_id: str | UnsetType = UNSET
    all: bool = False


class Subscribed(_Chosen, frozen=True, tag="subscribed"):
    """All has been told that was known. Of all jobs with a `cursor`."""

    cursor: str | UnsetType = UNSET


class Unsubscribed(_Chosen, frozen=True, tag="unsubscribed"):
    """Also when it was not subscribed, or the job is over: a subscription ends with its job."""


class Pong(_FromServer, frozen=True, tag="pong"):
    """The answer to a ping."""


class ErrorMessage(_FromServer, frozen=True, tag="error"):
    """A message of the client did not work out: a code of docs/api.md and a sentence. The connection goes on."""

    code: str
    message: str
    job_id: str | UnsetType = UNSET


ServerMessage: TypeAlias = Ready | StatusMessage | Subscribed | Unsubscribed | Pong | ErrorMessage


# ---- event streams; their event `status` carries wire.JobStatus


class StreamReady(msgspec.Struct, frozen=True):
    """All jobs that live have been told."""


class StreamEnd(msgspec.Struct, frozen=True):
    """Why an event stream ends before its job: token_expired, stopping or too_slow."""

    code: str
    message: str
