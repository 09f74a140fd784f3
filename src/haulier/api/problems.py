"""Errors as answers: application/problem+json (RFC 9457) with our code and the request's id."""

import msgspec

from haulier.api.exchange import PRIVATE, Answer, Exchange
from haulier.errors import (
    BodyTooLarge,
    HaulierError,
    InvalidRequest,
    MethodNotAllowed,
    RangeNotSatisfiable,
    Unauthenticated,
)
from haulier.wire import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"
_MAX_INSTANCE = 300


def problem_answer(error: HaulierError, exchange: Exchange, *, base_url: str) -> Answer:
    """What the client gets for `error`; its sentence is written for users and names no internals."""
    problem = Problem(
        type=problem_type(error.code, base_url=base_url),
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=exchange.scope["path"][:_MAX_INSTANCE],
        code=error.code,
        request_id=exchange.request_id,
        errors=_fields(error),
    )
    headers = [(b"content-type", MEDIA_TYPE.encode()), *PRIVATE, *exchange.extra_headers, *_headers(error, exchange)]
    return Answer(_encode(problem), error.status, tuple(headers))


def problem_type(code: str, *, base_url: str) -> str:
    """The address that identifies this kind of problem; it leads to its line in the docs."""
    return f"{base_url}/docs#{code}"


def _fields(error: HaulierError) -> tuple[FieldProblem, ...] | msgspec.UnsetType:
    if isinstance(error, InvalidRequest):
        return tuple(FieldProblem(pointer, message) for pointer, message in error.problems)
    return msgspec.UNSET


def _headers(error: HaulierError, exchange: Exchange) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, Unauthenticated):
        kind = ', error="invalid_token"' if error.facts.get("error") else ""
        headers.append((b"www-authenticate", f'Bearer realm="haulier"{kind}'.encode()))
        if exchange.takes_basic:
            headers.append((b"www-authenticate", b'Basic realm="haulier", charset="UTF-8"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.facts["allowed"].encode()))
    if isinstance(error, RangeNotSatisfiable):
        headers.append((b"content-range", f"bytes */{error.facts['size']}".encode()))
    if isinstance(error, BodyTooLarge):
        headers.append((b"connection", b"close"))  # the rest of the body is not worth receiving
    return headers


def _encode(problem: Problem) -> bytes:
    try:
        return msgspec.json.encode(problem)
    except UnicodeEncodeError:  # a lone surrogate out of a percent-encoded path
        return msgspec.json.encode(msgspec.structs.replace(problem, instance="/"))
