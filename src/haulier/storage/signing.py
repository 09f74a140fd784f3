"""Links that download one artefact for a while: ours for folders and memory, SigV4 for S3."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.errors import BadSignature
from haulier.job import Artefact
from haulier.settings import Secret
from haulier.storage.names import content_disposition, media_type
from haulier.storage.port import Link
from haulier.storage.s3_credentials import Current

MAX_EXPIRES_S = 604_800  # SigV4's limit: seven days
_LABEL = b"haulier folder links v1"


class Signer(Protocol):
    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> Link:
        """A URL for `artefact`; see Storage.sign."""
        ...


class FolderSigner:
    """Signs and checks links to `{base_url}/files/{job_id}/{file name}`.

    The signature covers job, expiry and the artefact's key: an older attempt's link does not serve a newer artefact.
    The file name in the path is for the eyes of users only.
    """

    def __init__(self, secret: Secret, *, base_url: str, clock: Clock) -> None:
        # A key of its own: a link's signature says nothing about tokens made from the same secret.
        self._key = hmac.digest(secret.reveal().encode(), _LABEL, "sha256")
        self._base_url = base_url
        self._clock = clock

    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> Link:
        end_s = int(self._clock.now().timestamp()) + expires_s
        expires = str(end_s)
        query = urlencode({"expires": expires, "signature": self._signature(job_id, expires, artefact.key)})
        name = quote(artefact.file_name.encode("utf-8", "replace"), safe="")
        return Link(f"{self._base_url}/files/{job_id}/{name}?{query}", datetime.fromtimestamp(end_s, UTC))

    def check(self, artefact: Artefact, *, job_id: str, expires: str, signature: str) -> None:
        """Return when the link was made by `sign` and has not expired; raise BadSignature otherwise."""
        if not self.is_ours(artefact, job_id=job_id, expires=expires, signature=signature):
            raise BadSignature
        # Signed by us, so it is a number.
        if int(expires) <= self._clock.now().timestamp():
            raise BadSignature

    def is_ours(self, artefact: Artefact, *, job_id: str, expires: str, signature: str) -> bool:
        """Whether the link was made by `sign`, expired or not."""
        wanted = self._signature(job_id, expires, artefact.key)
        return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))

    def handle_of(self, job_id: str) -> str:
        """Where whoever has a token gets a fresh link."""
        return f"{self._base_url}/v1/download/file/{job_id}"

    def _signature(self, job_id: str, expires: str, key: str) -> str:
        signed = "\n".join((job_id, expires, key)).encode("utf-8", "replace")
        return base64.urlsafe_b64encode(hmac.digest(self._key, signed, hashlib.sha256)).rstrip(b"=").decode()


class S3Signer:
    """Presigns GETs with SigV4, so that the store answers with the artefact's name and type.

    `bucket_url` is the bucket's address as clients see it, without a trailing slash. A link that temporary credentials
    sign is made to end no later than they do, as the store would refuse it from then on.
    """

    def __init__(self, credentials: Callable[[], Awaitable[Current]], *, bucket_url: str, region: str) -> None:
        self._credentials = credentials
        self._bucket_url = bucket_url
        self._region = region

    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> Link:
        credentials, ends = await self._credentials()
        life_s = min(expires_s, MAX_EXPIRES_S)
        if ends is not None:
            life_s = max(1, min(life_s, int((ends - SYSTEM_CLOCK.now()).total_seconds())))
        request = AWSRequest(
            method="GET",
            url=f"{self._bucket_url}/{quote(artefact.key, safe='/~')}",
            params={
                "response-content-disposition": content_disposition(artefact.file_name),
                "response-content-type": media_type(artefact.content_type),
            },
        )
        S3SigV4QueryAuth(credentials, "s3", self._region, expires=life_s).add_auth(request)
        url = str(request.url)
        end = _signed_at(url) + timedelta(seconds=life_s)
        return Link(url, end if ends is None else min(end, ends))


def _signed_at(url: str) -> datetime:
    """The moment that a presigned URL is dated with, from which the store counts its life."""
    dated = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(dated, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
