"""Links that download one artefact for a while: ours for folders and memory, SigV4 for S3."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from haulier.clock import Clock
from haulier.errors import BadSignature
from haulier.job import Artefact
from haulier.settings import Secret
from haulier.storage.names import content_disposition, media_type

MAX_EXPIRES_S = 604_800  # SigV4's limit: seven days
_LABEL = b"haulier folder links v1"


class Signer(Protocol):
    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> str:
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

    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> str:
        expires = str(int(self._clock.now().timestamp()) + expires_s)
        query = urlencode({"expires": expires, "signature": self._signature(job_id, expires, artefact.key)})
        name = quote(artefact.file_name.encode("utf-8", "replace"), safe="")
        return f"{self._base_url}/files/{job_id}/{name}?{query}"

    def check(self, artefact: Artefact, *, job_id: str, expires: str, signature: str) -> None:
        """Return when the link was made by `sign` and has not expired; raise BadSignature otherwise."""
        if not self.made(artefact, job_id=job_id, expires=expires, signature=signature):
            raise BadSignature
        # Signed by us, so it is a number.
        if int(expires) <= self._clock.now().timestamp():
            raise BadSignature

    def made(self, artefact: Artefact, *, job_id: str, expires: str, signature: str) -> bool:
        """Whether the link was made by `sign`, however long ago."""
        wanted = self._signature(job_id, expires, artefact.key)
        return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))

    def _signature(self, job_id: str, expires: str, key: str) -> str:
        signed = "\n".join((job_id, expires, key)).encode("utf-8", "replace")
        return base64.urlsafe_b64encode(hmac.digest(self._key, signed, hashlib.sha256)).rstrip(b"=").decode()


class S3Signer:
    """Presigns GETs with SigV4, so that the store answers with the artefact's name and type.

    `bucket_url` is the bucket's address without a trailing slash; `credentials` gives botocore's, which may have to be
    fetched over the network unless they `are_static`. A link made with temporary credentials ends when they do.
    """

    def __init__(self, credentials: Callable[[], Any], *, are_static: bool, bucket_url: str, region: str) -> None:
        self._credentials = credentials
        self._are_static = are_static
        self._bucket_url = bucket_url
        self._region = region

    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> str:
        credentials = self._credentials() if self._are_static else await asyncio.to_thread(self._credentials)
        request = AWSRequest(
            method="GET",
            url=f"{self._bucket_url}/{quote(artefact.key, safe='/~')}",
            params={
                "response-content-disposition": content_disposition(artefact.file_name),
                "response-content-type": media_type(artefact.content_type),
            },
        )
        auth = S3SigV4QueryAuth(credentials, "s3", self._region, expires=min(expires_s, MAX_EXPIRES_S))
        auth.add_auth(request)
        return str(request.url)
