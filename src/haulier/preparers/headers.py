"""What fetch reads out of an origin's answer: length, validator, range, name, digests."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

import httpx
import msgspec

from haulier.preparers.digests import stated_digests
from haulier.preparers.names import safe_file_name

MAX_RETRY_AFTER_S = 300
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,256}"')
_DATE = re.compile(r"[\x20-\x7e]{1,60} GMT")


class Part(msgspec.Struct, frozen=True):
    """A `Content-Range`: the first byte's position, and the size of the whole when the origin knows it."""

    start: int
    total: int | None


class Answer(msgspec.Struct, frozen=True):
    """What a whole answer says about the file. `size` in bytes when known; `validator` is None when nothing strong
    names the version."""

    size: int | None
    validator: str | None
    digests: Mapping[str, bytes]
    file_name: str
    content_type: str


def read_answer(response: httpx.Response) -> Answer:
    """What the headers of an answer with status 200 say."""
    return Answer(
        size=content_length(response),
        validator=validator(response),
        digests=stated_digests(response),
        file_name=file_name(response),
        content_type=content_type(response),
    )


def content_length(response: httpx.Response) -> int | None:
    """The body's size in bytes, when the origin says it and no transfer coding hides it."""
    text = response.headers.get("content-length", "")
    return int(text) if text.isdecimal() and "transfer-encoding" not in response.headers else None


def content_range(response: httpx.Response) -> Part | None:
    """The parsed `Content-Range: bytes 0-99/1234`, None when it is missing or not of that form."""
    match = re.fullmatch(
        r"bytes ([0-9]{1,19})-[0-9]{1,19}/([0-9]{1,19}|\*)", response.headers.get("content-range", ""), re.ASCII
    )
    if match is None:
        return None
    return Part(start=int(match[1]), total=None if match[2] == "*" else int(match[2]))


def is_past_end(response: httpx.Response, *, size: int) -> bool:
    """Whether the answer says that the whole has exactly `size` bytes, and so nothing from there on."""
    return response.status_code == 416 and response.headers.get("content-range") == f"bytes */{size}"


def validator(response: httpx.Response) -> str | None:
    """What `If-Range` may hold: a strong ETag, or else a Last-Modified that is strong (RFC 9110, 8.8.2.2)."""
    etag: str | None = response.headers.get("etag")
    if etag is not None:
        return etag if _STRONG_ETAG.fullmatch(etag) else None
    modified: str | None = response.headers.get("last-modified")
    changed, answered = _date(modified), _date(response.headers.get("date"))
    if changed is None or answered is None or answered - changed < timedelta(seconds=1):
        return None
    return modified


def retry_after_s(response: httpx.Response) -> int | None:
    """Seconds that the origin asks to wait, at most 300. The date form counts as unknown."""
    text = response.headers.get("retry-after", "")
    return min(int(text), MAX_RETRY_AFTER_S) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None


def content_type(response: httpx.Response) -> str:
    """The origin's type, or application/octet-stream."""
    kind = response.headers.get("content-type", "").strip()
    return kind if re.fullmatch(r"[\w.+-]+/[\w.+-]+(\s*;[\x20-\x7e]*)?", kind, re.ASCII) else "application/octet-stream"


def file_name(response: httpx.Response) -> str:
    """A safe name from `Content-Disposition`, else from the URL's path, else `download`."""
    path = response.url.raw_path.decode("ascii").partition("?")[0]
    name = _stated_name(response) or unquote(path).rpartition("/")[2]
    return safe_file_name(name) if name.strip("/\\. ") else "download"


def _stated_name(response: httpx.Response) -> str | None:
    message = Message()
    message["content-disposition"] = response.headers.get("content-disposition", "")
    try:
        return message.get_filename()
    except ValueError:  # an encoding that cannot replace what it does not know
        return None


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text and _DATE.fullmatch(text) else None
    except ValueError:
        return None
