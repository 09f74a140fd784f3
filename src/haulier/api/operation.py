"""What a call of the API is, as its table, OpenAPI and /docs know it; and what many calls have in common."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.types import ASGIApp

from haulier import errors
from haulier.api.exchange import Answer, Exchange
from haulier.api.services import Services
from haulier.errors import HaulierError

# A handler answers whole, or with an application that sends what is too large to hold.
Handler = Callable[[Exchange, Services], Awaitable[Answer | ASGIApp]]


class Header(msgspec.Struct, frozen=True):
    """A header, of a request or an answer."""

    name: str
    description: str


class Reply(msgspec.Struct, frozen=True):
    """One way to answer; `shape` None means without a body, or with the bytes of a file.

    `or_shape` is what the request's mode makes of it.
    """

    description: str
    shape: type[msgspec.Struct] | None = None
    headers: tuple[Header, ...] = ()
    or_shape: type[msgspec.Struct] | None = None
    is_file: bool = False

    @property
    def shapes(self) -> tuple[type[msgspec.Struct], ...]:
        """All bodies that the answer may have."""
        return tuple(shape for shape in (self.shape, self.or_shape) if shape is not None)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Paths name their parameters in braces: `{job_id}`, `{channel_id}`. Every secured one can answer 401."""

    name: str
    method: str
    path: str
    handler: Handler
    summary: str
    replies: Mapping[int, Reply]
    errors: tuple[type[HaulierError], ...] = ()
    body: type[msgspec.Struct] | None = None
    or_bodies: tuple[type[msgspec.Struct], ...] = ()
    """Further kinds of body, when the field `kind` of each says which it is."""
    example: str = ""
    query: type[msgspec.Struct] | None = None
    headers: tuple[Header, ...] = ()
    secured: bool = True
    takes_basic: bool = False
    """Whether the token may be the password of HTTP Basic, for clients that keep such credentials to one host."""

    @property
    def bodies(self) -> tuple[type[msgspec.Struct], ...]:
        """All kinds of body that the call takes."""
        return (self.body, *self.or_bodies) if self.body else ()


IDEMPOTENCY_KEY = Header(
    "Idempotency-Key", "1 to 200 visible ASCII characters. The same key and body get the same job for a day."
)
LINK = Header("Link", 'The next page, rel="next".')
BODY_ERRORS = (errors.InvalidRequest, errors.MalformedJson, errors.BodyTooLarge, errors.UnsupportedMediaType)

IdParameter = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]


def possible_errors(operation: Operation) -> tuple[type[HaulierError], ...]:
    """The errors of a call, with those that its kind always can have, in the order of their status."""
    found = set(operation.errors)
    if operation.secured:
        found |= {errors.Unauthenticated, errors.HeadersTooLarge, errors.Unavailable}
    return tuple(sorted(found, key=lambda error: (error.status, error.code)))
