"""What Haulier asks of an object store. Adapters: folder, memory, S3; one conformance suite runs on all of them.

Every method raises StorageUnavailable when the store does not answer or answers with a server error.
"""

from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from haulier.job import Artefact


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object's metadata. `etag` is quoted as in HTTP and strong."""

    key: str
    size: int
    etag: str
    last_modified: datetime


class Written(msgspec.Struct, frozen=True):
    """What `write` stored: bytes and their SHA-256 as 64 hex digits, computed while writing."""

    size: int
    sha256: str
    etag: str


class Link(msgspec.Struct, frozen=True):
    """A signed URL and when it ends: never stored or logged. It ends with the credentials that signed it."""

    url: str
    expires_at: datetime


class Part(msgspec.Struct, frozen=True):
    """A part of an upload that the store has for certain. Numbers count from 1; all but the last have `part_bytes`.

    An empty object is one empty part.
    """

    number: int
    size: int
    etag: str


class Upload(Protocol):
    """An object that grows in parts and appears whole at the end. Another process can go on with it.

    Sending a part again replaces it. Cancelling a call may leave its part sent or not, nothing else.
    """

    @property
    def handle(self) -> str:
        """What `Storage.open_upload` takes to go on: text of at most 2 KiB, without secrets."""
        ...

    async def send(self, number: int, content: bytes) -> Part:
        """Store one part so that it survives a crash of this machine; different parts may be sent at the same time."""
        ...

    async def complete(self, parts: Sequence[Part]) -> str:
        """Make the object of all parts, in order, and answer its ETag. Raises UploadLost when they are no longer there.

        `parts` are all that were ever sent: stores differ in whether they refuse to leave some out. Completing again
        what was completed with the same parts answers the same.
        """
        ...

    async def abort(self) -> None:
        """Remove everything; no error when it is gone already."""
        ...


class Storage(Protocol):
    """A place for objects. Keys are relative paths with `/`, without `.` or `..` segments."""

    part_bytes: int
    """Size of all parts of an upload but the last."""

    async def begin_upload(self, key: str, *, file_name: str, content_type: str) -> Upload:
        """Begin an object in parts. What is never completed or aborted is swept."""
        ...

    def open_upload(self, key: str, handle: str) -> Upload:
        """Go on with an upload of another attempt. Does no I/O: whether it still exists shows at `complete`, `send`."""
        ...

    async def head(self, key: str) -> ObjectInfo | None:
        """The object's metadata, or None when there is no such object."""
        ...

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """Chunks (at most 1 MiB) of bytes `start` to `end` (exclusive; None: the end).

        With `etag`, raises SourceChanged when the object has another one. Raises SourceMissing when there is none.
        Closing the iterator early releases the connection.
        """
        ...

    async def read_small(self, objects: Sequence[ObjectInfo]) -> Sequence[bytes]:
        """The bytes of small objects in their order, each in the version that its ETag names: many at the price of a
        few. All of them are in memory at once; raises what `read` raises for any of them.
        """
        ...

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, file_name: str, content_type: str) -> Written:
        """Store a stream under `key`, in bounded memory; the object appears whole or not at all.

        An exception raised by `chunks` aborts the upload, leaves nothing behind, and is raised again unchanged.
        Cancelling the calling task does the same. Name and type become the object's download headers where the store
        can.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that do not exist are no error."""
        ...

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """All objects whose key starts with `prefix` (a whole path segment: `artifacts/`), in key order."""
        ...

    async def sweep_uploads(self, *, older_than_s: float, keep: Collection[str] = ()) -> int:
        """Remove what uploads of artefacts that died with their process left; how many. `list` does not show these.

        `older_than_s` must be longer than any upload takes that is not in `keep` (handles of uploads to go on with).
        """
        ...

    async def sign(self, artefact: Artefact, *, job_id: str, expires_s: int) -> Link:
        """A URL that downloads `artefact` with its name and type for at most `expires_s` seconds."""
        ...

    async def ping(self) -> None:
        """Return when the store answers; raise StorageUnavailable otherwise, within 2 s."""
        ...
