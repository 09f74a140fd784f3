"""Who sends a file's bytes, and where a redirect leads."""

import re
from enum import Enum
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
# a signed URL that comes with one. They also go on with the link; one of ours that has ended leads them to the handle.
_CARRIES_TOKEN = re.compile(r"wget|aria2", re.IGNORECASE)


class Way(Enum):
    """Who sends the bytes: the API in its answer, the API behind a link of its own, or the store behind its link."""

    HERE = "here"
    OWN_LINK = "own_link"
    STORE = "store"


class FileQuery(msgspec.Struct, frozen=True):
    via: Annotated[
        Literal["auto", "api", "store"],
        Meta(description="Who sends the bytes: the API, or the store after a redirect; by default as is best."),
    ] = "auto"


async def way_of(artefact: Artefact, exchange: Exchange, services: Services) -> Way:
    """How the handle answers: as asked for, or as will do for this client and request.

    Raises InvalidRequest for an unknown `via`, ArtefactExpired when a published object is gone.
    """
    via = query_of(exchange, FileQuery).via
    if services.settings.file_delivery == "api" or via == "api":
        return Way.HERE
    if via == "auto" and _CARRIES_TOKEN.match(exchange.header(b"user-agent") or ""):
        return Way.OWN_LINK if services.own_links else Way.HERE
    if isinstance(services.storage.signer, FolderSigner):  # links lead to us, who know all that follows
        return Way.STORE
    if exchange.scope["method"] == "HEAD":  # a signature is for one method, and links are signed for GET
        return Way.HERE
    if exchange.header(b"range") is not None and await _is_of_another(artefact, exchange, services):
        return Way.HERE
    return Way.STORE


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
