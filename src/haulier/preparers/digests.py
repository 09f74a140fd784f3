"""What an origin states about all bytes of a file: its digests, read out of headers, and comparing with them.

Only whole answers (status 200) may be asked: a part's `Content-MD5` is that of the part. All of these are digests of
the bytes as they are sent, content coding included; a statement that is malformed or of an unknown kind counts as none.
"""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import httpx

from haulier.errors import SourceDamaged

SIZES = {"sha-256": 32, "md5": 16}
_HASHES = {"sha-256": hashlib.sha256, "md5": lambda: hashlib.md5(usedforsecurity=False)}

# RFC 9530 section 3: a dictionary (RFC 8941 section 3.2) whose values are byte sequences; parameters mean nothing.
_KEY = r"[a-z*][a-z0-9_.*-]*"
_PARAMETER = rf' *; *{_KEY}(?:=(?:"(?:[^"\\]|\\["\\])*"|:[A-Za-z0-9+/=]*:|[A-Za-z0-9*?.+/:-]+))?'
_MEMBER = re.compile(rf"({_KEY})=:([A-Za-z0-9+/=]*):(?:{_PARAMETER})*[ \t]*(?:,[ \t]*(?!$)|$)")
_PLAIN_ETAG = re.compile(r'"([0-9a-fA-F]{32})"')


def stated_digests(response: httpx.Response) -> dict[str, bytes]:
    """The digests that a whole answer states: `sha-256` with 32 bytes, `md5` with 16, or neither.

    In this order, the first wins: `Repr-Digest`, what S3 and Google's storage add, `Content-MD5`, an S3 ETag.
    """
    headers = response.headers
    found = repr_digest(headers.get("repr-digest", ""))
    for name, digest in (
        ("sha-256", _of_s3(headers)),
        ("md5", _of_google(headers)),
        ("md5", _decoded(headers.get("content-md5", ""))),
        ("md5", _etag_of_s3(headers)),
    ):
        if digest is not None and len(digest) == SIZES[name]:
            found.setdefault(name, digest)
    return found


def repr_digest(text: str) -> dict[str, bytes]:
    """The known digests of a `Repr-Digest`, none when any of it is malformed. The last of equal keys counts."""
    found: dict[str, bytes] = {}
    at, text = 0, text.strip(" ")
    while at < len(text):
        member = _MEMBER.match(text, at)
        digest = _decoded(member[2]) if member else None
        if member is None or digest is None:
            return {}
        found[member[1]] = digest
        at = member.end()
    return {name: digest for name, digest in found.items() if len(digest) == SIZES.get(name)}


async def verified(
    chunks: AsyncGenerator[bytes, None], digests: Mapping[str, bytes], *, name: str
) -> AsyncGenerator[bytes, None]:
    """The same bytes; raises SourceDamaged after the last when they do not have `digests`. Knows those of SIZES."""
    running = {kind: _HASHES[kind]() for kind in digests if kind in _HASHES}
    async with aclosing(chunks):
        async for chunk in chunks:
            for digest in running.values():
                await asyncio.to_thread(digest.update, chunk)
            yield chunk
    if any(digest.digest() != digests[kind] for kind, digest in running.items()):
        raise SourceDamaged(name=name)


def _of_s3(headers: httpx.Headers) -> bytes | None:
    # the digest of a multipart upload's digests is of type COMPOSITE, and ends in -N
    full = headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT"
    return _decoded(headers.get("x-amz-checksum-sha256", "")) if full else None


def _of_google(headers: httpx.Headers) -> bytes | None:
    # what is stored compressed may be sent decompressed, with the digest of what is stored
    if headers.get("x-goog-stored-content-encoding", "identity") != headers.get("content-encoding", "identity"):
        return None
    stated = dict(part.strip().partition("=")[::2] for part in headers.get("x-goog-hash", "").split(","))
    return _decoded(stated.get("md5", ""))


def _etag_of_s3(headers: httpx.Headers) -> bytes | None:
    """The MD5 that an S3 ETag is: not of multipart uploads, nor encrypted with other keys than S3's, nor of Express."""
    if "x-amz-request-id" not in headers and headers.get("server") != "AmazonS3":
        return None
    if headers.get("x-amz-server-side-encryption", "AES256") != "AES256":
        return None
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    if headers.get("x-amz-storage-class") == "EXPRESS_ONEZONE":
        return None
    plain = _PLAIN_ETAG.fullmatch(headers.get("etag", ""))
    return bytes.fromhex(plain[1]) if plain else None


def _decoded(text: str) -> bytes | None:
    """Base64, missing padding allowed; None when it is malformed or empty."""
    text = text.rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None
