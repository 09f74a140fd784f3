"""Whether the API sends a file itself or redirects to the store."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from haulier.api.exchange import Exchange
from haulier.api.requests import query_of
from haulier.api.services import Services
from haulier.artefacts import is_ours
from haulier.errors import ArtefactExpired
from haulier.job import Artefact
from haulier.storage.signing import FolderSigner

# They repeat the Authorization header wherever a redirect leads: the store would get the token, and S3 answers 400 to
# a signed URL that comes with one. And when a connection breaks, wget tries the link again, not the handle.
_IS_BAD_AT_REDIRECTS = re.compile(r"(?:wget|aria2)/", re.IGNORECASE)


class FileQuery(msgspec.Struct, frozen=True):
    via: Annotated[
        Literal["auto", "api", "store"],
        Meta(description="Who sends the bytes: the API, or the store after a redirect; by default as is best."),
    ] = "auto"


async def is_delivered_here(artefact: Artefact, exchange: Exchange, services: Services) -> bool:
    """Whether the answer is the file itself: asked for, or because a redirect would not do.

    Raises InvalidRequest for an unknown `via`, ArtefactExpired when a published object is gone.
    """
    via = query_of(exchange, FileQuery).via
    if services.settings.file_delivery == "api" or via == "api":
        return True
    if via == "auto" and _IS_BAD_AT_REDIRECTS.match(exchange.header(b"user-agent") or ""):
        return True
    if isinstance(services.storage.signer, FolderSigner):  # links lead to us, who know all that follows
        return False
    if exchange.scope["method"] == "HEAD":  # a signature is for one method, and links are signed for GET
        return True
    return exchange.header(b"range") is not None and await _is_of_another(artefact, exchange, services)


async def _is_of_another(artefact: Artefact, exchange: Exchange, services: Services) -> bool:
    """Whether a range would not fit: If-Range names another file, which stores may ignore, as Ceph's does, or the
    object, published as it was, has changed since."""
    if_range = exchange.header(b"if-range")
    if if_range is not None and if_range.strip() != artefact.etag:
        return True
    if is_ours(artefact.key):
        return False
    info = await services.storage.head(artefact.key)
    if info is None:
        raise ArtefactExpired
    return info.etag != artefact.etag
