"""Request bodies: size, media type and strict JSON, before a struct is made of them."""

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from haulier.api.exchange import ClientGone, Exchange
from haulier.errors import BodyTooLarge, InvalidRequest, MalformedJson, UnsupportedMediaType
from haulier.preparers.choosing import told

LIMIT_BYTES = 65_536
_MAX_MESSAGE = 200
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Shape = TypeVar("Shape", bound=msgspec.Struct)


async def body_of(exchange: Exchange, shape: type[Shape]) -> Shape:
    """The JSON body as `shape`. Raises UnsupportedMediaType, BodyTooLarge, MalformedJson or InvalidRequest."""
    return _as(await _value_of(exchange), shape)


async def kind_body_of(exchange: Exchange, shapes: Sequence[type[Shape]]) -> Shape:
    """The same for one of several tagged shapes: the body's `kind` says which."""
    return one_of(shapes, await _value_of(exchange), tag="kind")


def one_of(shapes: Sequence[type[Shape]], value: Any, *, tag: str) -> Shape:
    """JSON as that of the tagged shapes which its `tag` names. Raises InvalidRequest."""
    name = value.get(tag) if isinstance(value, dict) else None
    named = {str(shape.__struct_config__.tag): shape for shape in shapes}
    if not isinstance(name, str) or name not in named:
        raise InvalidRequest((f"/{tag}", f"must be one of {', '.join(named)}"))
    return _as(value, named[name])


async def _value_of(exchange: Exchange) -> Any:
    _check_media_type(exchange)
    return _parse(await _read(exchange))


def _as(value: Any, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise InvalidRequest(told(error, shape)) from None


def _check_media_type(exchange: Exchange) -> None:
    media_type, _, parameters = (exchange.header(b"content-type") or "").partition(";")
    charset = parameters.replace(" ", "").lower()
    if media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8", 'charset="utf-8"'):
        raise UnsupportedMediaType
    if (exchange.header(b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMediaType


async def _read(exchange: Exchange) -> bytes:
    declared = exchange.header(b"content-length") or "0"
    if len(declared) > 10 or (declared.isdecimal() and int(declared) > LIMIT_BYTES):
        raise BodyTooLarge(limit_bytes=LIMIT_BYTES)
    body = b""
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > LIMIT_BYTES:
            raise BodyTooLarge(limit_bytes=LIMIT_BYTES)
        if not message.get("more_body", False):
            return body


def _parse(raw: bytes) -> Any:
    """The JSON value of `raw`: UTF-8, no duplicate keys, no NaN, no lone surrogates. The standard parser, because
    msgspec keeps the last of two equal keys without a word."""
    if not raw:
        raise MalformedJson(reason="it is empty")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise MalformedJson(reason="it is not UTF-8") from None
    except RecursionError:
        raise MalformedJson(reason="it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(reason=f"{error.msg} at character {error.pos}") from None
    except ValueError as error:
        raise MalformedJson(reason=str(error)[:_MAX_MESSAGE]) from None
    if _SURROGATE.search(raw):
        _refuse_half_characters(value)
    return value


def _refuse_half_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedJson(reason="it has a lone surrogate") from None
    except RecursionError:
        raise MalformedJson(reason="it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    if len(known) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return known


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
