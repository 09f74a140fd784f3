"""Storage over an obstore store: what folder, memory and S3 have in common."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from haulier.errors import HaulierError, SourceMissing, SourceTruncated
from haulier.job import Artefact
from haulier.silence import answered_within
from haulier.storage.failures import STORE_ERRORS, is_denied, open_failure, read_failure, unavailable, write_failure
from haulier.storage.keys import check_key, check_prefix
from haulier.storage.names import content_disposition, media_type
from haulier.storage.port import Link, ObjectInfo, Upload, Written
from haulier.storage.signing import Signer
from haulier.storage.upload import Put, UploadFailed, upload

READ_BYTES = 1 << 20
SMALL_AT_A_TIME = 16
PART_BYTES = 16 << 20  # S3 takes 10,000 parts: 160 GB an object
PARTS_AT_A_TIME = 3
ANSWER_S = 15.0  # for calls that move no bytes
PING_S = 1.8
_PING_PREFIX = "artifacts/.ping"


class ObjectStorage(ABC):
    """Objects in `store`; their links come from `signer`. Keeps download headers when `keeps_headers`.

    Uploads in parts are each adapter's own: obstore cannot go on with those of another process.
    """

    part_bytes = PART_BYTES

    def __init__(self, store: ObjectStore, *, signer: Signer, keeps_headers: bool) -> None:
        self._store = store
        self.signer = signer
        self._keeps_headers = keeps_headers

    async def _holds(self, key: str) -> bool:
        """Whether the store could have an object under `key` at all."""
        check_key(key)
        return True

    async def head(self, key: str) -> ObjectInfo | None:
        if not await self._holds(key):
            return None
        try:
            async with answered_within(ANSWER_S):
                return info_of(await obstore.head_async(self._store, key))
        except FileNotFoundError:
            return None
        except STORE_ERRORS as error:
            raise await self._why_not_found(error, key) from error

    async def _why_not_found(self, error: Exception, key: str) -> HaulierError:
        """A refused HEAD has no body that says whether the object or our credentials are at fault: ask with a GET."""
        if not is_denied(error):
            return open_failure(error, key)
        try:
            async with answered_within(ANSWER_S):
                await obstore.get_async(self._store, key, options={"range": (0, 1)})
        except STORE_ERRORS as refusal:
            return open_failure(refusal, key)
        return unavailable(error)

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        if not await self._holds(key):
            raise SourceMissing(name=key)
        opened = await self._open(key, start, end, etag)
        if opened is None:
            return
        first, last = opened.range
        got = 0
        try:
            async for chunk in opened.stream(READ_BYTES):
                got += len(chunk)
                for offset in range(0, len(chunk), READ_BYTES):
                    yield chunk if len(chunk) <= READ_BYTES else chunk[offset : offset + READ_BYTES]
        except STORE_ERRORS as error:
            raise read_failure(error, key) from error
        if got != last - first:
            raise SourceTruncated(name=key, got=got, expected=last - first)

    async def read_small(self, objects: Sequence[ObjectInfo]) -> Sequence[bytes]:
        slots = asyncio.Semaphore(SMALL_AT_A_TIME)

        async def whole(info: ObjectInfo) -> bytes:
            async with slots:
                return b"".join([chunk async for chunk in self.read(info.key, etag=info.etag)])

        try:
            async with asyncio.TaskGroup() as group:
                reading = [group.create_task(whole(info)) for info in objects]
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in reading]

    async def _open(self, key: str, start: int, end: int | None, etag: str | None) -> "obstore.GetResult | None":
        """The object opened at a range, or None when there are no bytes in it: stores refuse empty ranges."""
        options: obstore.GetOptions = {"if_match": etag} if etag else {}
        if end is not None:
            options["range"] = (start, max(start + 1, end))
        elif start:
            options["range"] = {"offset": start}
        try:
            opened = await obstore.get_async(self._store, key, options=options)
        except STORE_ERRORS as error:
            if "range" in options and isinstance(error, BaseError) and await self._is_behind_end(key, start):
                return None
            raise open_failure(error, key) from error
        return None if end is not None and end <= start else opened

    async def _is_behind_end(self, key: str, start: int) -> bool:
        info = await self.head(key)
        if info is None:
            raise SourceMissing(name=key)
        return start >= info.size

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, file_name: str, content_type: str) -> Written:
        check_key(key)
        attributes = (
            {"Content-Disposition": content_disposition(file_name), "Content-Type": media_type(content_type)}
            if self._keeps_headers
            else None
        )

        async def start(content: bytes | AsyncIterator[bytes]) -> str:
            result = await obstore.put_async(
                self._store,
                key,
                content,
                attributes=attributes,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_A_TIME,
            )
            return result["e_tag"] or ""

        async def remove() -> None:
            await self.delete([key])

        return await self._stored(key, chunks, Put(start, remove))

    async def _stored(self, key: str, chunks: AsyncIterable[bytes], put: Put) -> Written:
        try:
            done = await upload(chunks, put)
        except UploadFailed as failed:
            raise write_failure(failed.__cause__ or failed) from failed.__cause__
        etag = done.etag
        if not etag:  # Ceph's gateway leaves it out of its answer to a multipart upload
            info = await self.head(key)
            etag = info.etag if info else ""
        return Written(done.size, done.sha256, etag)

    async def delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        try:
            async with answered_within(ANSWER_S):
                await obstore.delete_async(self._store, [check_key(key) for key in keys])
        except FileNotFoundError:
            return
        except STORE_ERRORS as error:
            raise unavailable(error) from error

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        try:
            async for batch in obstore.list(self._store, check_prefix(prefix), chunk_size=1_000):
                for meta in batch:
                    yield info_of(meta)
        except STORE_ERRORS as error:
            raise unavailable(error) from error

    @abstractmethod
    async def begin_upload(self, key: str, *, file_name: str, content_type: str) -> Upload: ...

    @abstractmethod
    def open_upload(self, key: str, handle: str) -> Upload: ...

    @abstractmethod
    async def sweep_uploads(self, *, older_than_s: float, keep: Collection[str] = ()) -> int: ...

    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> Link:
        return await self.signer.sign(artefact, job_id=job_id, expires_s=expires_s)

    async def ping(self) -> None:
        try:
            async with answered_within(PING_S):
                await obstore.list_with_delimiter_async(self._store, _PING_PREFIX)
        except STORE_ERRORS as error:
            raise unavailable(error) from error


def info_of(meta: "obstore.ObjectMeta") -> ObjectInfo:
    """obstore's metadata in our words."""
    return ObjectInfo(
        key=meta["path"], size=meta["size"], etag=meta["e_tag"] or "", last_modified=meta["last_modified"]
    )
