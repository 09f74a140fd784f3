"""What requests say besides their body: path, query, and the headers Idempotency-Key, Prefer and If-None-Match."""

import re
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from msgspec import Meta

from haulier.api.conditions import lists, tags_in
from haulier.api.exchange import Exchange
from haulier.errors import (
    BatchNotFound,
    ChannelNotFound,
    DeliveryNotFound,
    HaulierError,
    InvalidRequest,
    JobNotFound,
)
from haulier.preparers.choosing import told
from haulier.wire import IDEMPOTENCY_KEY, StatusName

LONGEST_WAIT_S = 60

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VERSION = re.compile(r'"(\d{1,9})-[0-9a-f]+"')
_WAIT = re.compile(r"wait=\"?(\d{1,6})\"?", re.IGNORECASE)

Shape = TypeVar("Shape", bound=msgspec.Struct)


class StatusQuery(msgspec.Struct, frozen=True):
    wait: Annotated[
        int, Meta(ge=0, le=LONGEST_WAIT_S, description="Seconds to hold the answer back until the version changes.")
    ] = 0
    files: Annotated[bool, Meta(description="The state of each file of an archive; false leaves them out.")] = True


class BatchQuery(msgspec.Struct, frozen=True):
    files: Annotated[bool, Meta(description="Each file with its job; false leaves them out.")] = True


class JobsQuery(msgspec.Struct, frozen=True):
    status: Annotated[StatusName | None, Meta(description="Only jobs with this status.")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Most jobs on a page.")] = 20
    page: Annotated[int, Meta(ge=1, le=100_000, description="Page from 1; for deep lists use cursor.")] = 1
    cursor: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="next_cursor of the page before.")
    ] = None
    user: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
        Meta(description="Whose jobs; only an admin may name another user."),
    ] = None
    batch: Annotated[UUID | None, Meta(description="Only jobs of this batch.")] = None


class Preferences(msgspec.Struct, frozen=True):
    """What a Prefer header (RFC 7240) asks for; anything that we do not know is ignored, as it says."""

    respond_async: bool = False
    join: bool = False
    wait_s: int | None = None


def query_of(exchange: Exchange, shape: type[Shape]) -> Shape:
    """The query as `shape`. Unknown parameters are ignored; a bad or repeated one raises InvalidRequest."""
    raw: bytes = exchange.scope["query_string"]
    if not raw:
        return shape()
    known = {field.name for field in msgspec.structs.fields(shape)}
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise InvalidRequest(("query", "has too many parameters")) from None
    for name, value in pairs:
        if name in found:
            raise InvalidRequest((name, "stands twice in the query"))
        if name in known:
            if any(ord(character) < 32 or ord(character) == 127 for character in value):
                raise InvalidRequest((name, "has a control character"))
            found[name] = value
    try:
        return msgspec.convert(found, shape, strict=False)
    except msgspec.ValidationError as error:
        pointer, message = told(error, shape)
        raise InvalidRequest((pointer.lstrip("/"), message)) from None


def uuid_of(text: str) -> UUID | None:
    """The id that `text` is, in its usual form; None when it is none."""
    return UUID(text) if _UUID.fullmatch(text) else None


def job_id_of(exchange: Exchange) -> UUID:
    """The job of the path. What is not a UUID names no job: JobNotFound, as for one that does not exist."""
    return _id_of(exchange, "job_id", JobNotFound)


def batch_id_of(exchange: Exchange) -> UUID:
    """The batch of the path; BatchNotFound for what is not a UUID."""
    return _id_of(exchange, "batch_id", BatchNotFound)


def channel_id_of(exchange: Exchange) -> UUID:
    """The channel of the path; ChannelNotFound for what is not a UUID."""
    return _id_of(exchange, "channel_id", ChannelNotFound)


def delivery_id_of(exchange: Exchange) -> UUID:
    """The delivery of the path; DeliveryNotFound for what is not a UUID."""
    return _id_of(exchange, "delivery_id", DeliveryNotFound)


def _id_of(exchange: Exchange, name: str, otherwise: type[HaulierError]) -> UUID:
    found = uuid_of(exchange.path_parameter(name))
    if found is None:
        raise otherwise
    return found


def idempotency_key_of(exchange: Exchange) -> str | None:
    """The Idempotency-Key header. Raises InvalidRequest unless it is one, of 1 to 200 visible ASCII characters."""
    key = exchange.header_list(b"idempotency-key")
    if key is not None and IDEMPOTENCY_KEY.fullmatch(key) is None:
        raise InvalidRequest(("Idempotency-Key", "must be one, of 1 to 200 visible ASCII characters"))
    return key


def preferences_of(exchange: Exchange) -> Preferences:
    """The Prefer headers; a wait beyond what we hold an answer back is shortened."""
    header = exchange.header_list(b"prefer")
    if header is None:
        return NO_PREFERENCES
    wishes = [wish.strip() for wish in re.split("[,;]", header)]
    waits = [min(int(match[1]), LONGEST_WAIT_S) for wish in wishes if (match := _WAIT.fullmatch(wish))]
    names = {wish.lower() for wish in wishes}
    return Preferences(respond_async="respond-async" in names, join="join" in names, wait_s=waits[0] if waits else None)


NO_PREFERENCES = Preferences()


def client_has(exchange: Exchange, etag: str) -> bool:
    """Whether If-None-Match says that the client has what `etag` stands for; the comparison is weak (RFC 9110)."""
    field = exchange.header_list(b"if-none-match")
    return field is not None and lists(field, etag, weakly=True)


def known_version(exchange: Exchange) -> int | None:
    """The newest version that the client has seen, by the tags of If-None-Match; None when they tell none."""
    tags = tags_in(exchange.header_list(b"if-none-match") or "")
    versions = [int(match[1]) for tag in tags if (match := _VERSION.fullmatch(tag))]
    return max(versions, default=None)
