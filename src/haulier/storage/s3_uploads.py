"""Multipart uploads to S3 that another process can go on with: obstore's end with the process that began them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from haulier.artefacts import ARTEFACTS
from haulier.errors import HaulierError, StorageFailed, StorageUnavailable, UploadLost
from haulier.storage.failures import code_of, unavailable, write_failure
from haulier.storage.names import content_disposition, media_type
from haulier.storage.parts import check_part, whole
from haulier.storage.port import ObjectInfo, Part

CONNECTIONS = 16
MAX_PARTS = 10_000
SETTLE_S = 20.0  # an abort waits this long for parts in flight: the store would keep those that arrive after it
_ERRORS = (BotoCoreError, ClientError)
_LOST = {"NoSuchUpload", "InvalidPart", "NoSuchKey"}


class S3Uploads:
    """Multipart uploads to one bucket, through one client that `connect` makes at first use and all threads share.

    The threads are its own, as they wait for the network: those of the event loop are for disks and digests. `extra`
    are further parameters of CreateMultipartUpload, such as those of encryption.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        bucket: str,
        *,
        head: Callable[[str], Awaitable[ObjectInfo | None]],
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.head = head
        self._connect = connect
        self._bucket = bucket
        self._extra = dict(extra or {})
        self._client: Any = None
        self._connecting = Lock()
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="s3")

    async def begin(self, key: str, *, file_name: str, content_type: str) -> str:
        """Begin an object; its upload id."""
        headers = {"ContentDisposition": content_disposition(file_name), "ContentType": media_type(content_type)}
        try:
            answer = await self.call("create_multipart_upload", Key=key, **headers, **self._extra)
        except _ERRORS as error:
            raise write_failure(error) from error
        return answer["UploadId"]

    async def call(self, operation: str, **params: Any) -> Any:
        """One call of the S3 API on our bucket; botocore's errors come out as they are."""
        return await asyncio.wrap_future(self.submit(operation, **params))

    def submit(self, operation: str, **params: Any) -> "Future[Any]":
        """The same in a thread, not awaited."""
        return self._threads.submit(partial(self._call, operation, **params))

    async def sweep(self, *, latest: datetime, keep: Collection[str]) -> int:
        """Abort the uploads of artefacts begun until `latest` whose ids are not in `keep`; how many."""
        try:
            return await asyncio.wrap_future(self._threads.submit(self._sweep, latest, keep))
        except _ERRORS as error:
            raise unavailable(error) from error

    def _sweep(self, latest: datetime, keep: Collection[str]) -> int:
        name, swept, client = self._bucket, 0, self._connected()
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=name, Prefix=ARTEFACTS):
            for upload in page.get("Uploads", []):
                if upload["Initiated"] <= latest and upload["UploadId"] not in keep:
                    with suppress(client.exceptions.NoSuchUpload):
                        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
                        swept += 1
        return swept

    def _call(self, operation: str, **params: Any) -> Any:
        return getattr(self._connected(), operation)(Bucket=self._bucket, **params)

    def _connected(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client


class S3Upload:
    """See Upload. The handle is the upload's id."""

    def __init__(self, uploads: S3Uploads, key: str, handle: str, *, part_bytes: int) -> None:
        self._uploads = uploads
        self._key = key
        self._handle = handle
        self._part_bytes = part_bytes
        self._sending: set[Future[Any]] = set()

    @property
    def handle(self) -> str:
        return self._handle

    async def send(self, number: int, content: bytes) -> Part:
        check_part(number, content, part_bytes=self._part_bytes)
        if number > MAX_PARTS:
            raise StorageFailed(reason=f"the store takes at most {MAX_PARTS * self._part_bytes >> 30} GiB an object")
        sending = self._uploads.submit("upload_part", **self._named(), PartNumber=number, Body=content)
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        answer = await self._answer(sending)
        return Part(number, len(content), etag=answer["ETag"])

    async def complete(self, parts: Sequence[Part]) -> str:
        ordered, size = whole(parts, part_bytes=self._part_bytes)
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in ordered]
        with suppress(UploadLost):  # it may have been completed before
            await self._complete(listed)
        # Ceph leaves the ETag out of its answer.
        found = await self._uploads.head(self._key)
        if found is None or found.size != size or not _has_parts(found.etag, len(ordered)):
            raise UploadLost
        return found.etag

    async def abort(self) -> None:
        if self._sending:
            await asyncio.to_thread(wait, list(self._sending), SETTLE_S)
        with suppress(UploadLost):
            await self._ask("abort_multipart_upload")

    async def _complete(self, listed: list[dict[str, Any]]) -> None:
        try:
            await self._ask("complete_multipart_upload", MultipartUpload={"Parts": listed})
        except StorageUnavailable as error:
            # Ceph answers InternalError for an upload that is gone.
            if isinstance(error.__cause__, ClientError):
                with suppress(StorageFailed, StorageUnavailable):
                    await self._ask("list_parts", MaxParts=1)
            raise

    async def _ask(self, operation: str, **params: Any) -> Any:
        return await self._answer(self._uploads.submit(operation, **self._named(), **params))

    async def _answer(self, asked: "Future[Any]") -> Any:
        try:
            return await asyncio.wrap_future(asked)
        except _ERRORS as error:
            raise _failure(error) from error

    def _named(self) -> dict[str, str]:
        if not self._handle:  # the store would take these calls for calls on the object
            raise UploadLost
        return {"Key": self._key, "UploadId": self._handle}


def _failure(error: Exception) -> HaulierError:
    return UploadLost() if code_of(error) in _LOST else write_failure(error)


def _has_parts(etag: str, count: int) -> bool:
    """Whether an ETag may be one of `count` parts; the digest in it depends on the store and its encryption."""
    _, mark, number = etag.strip('"').rpartition("-")
    return not (mark and number.isdigit()) or int(number) == count
