"""For the tests of preparers, yours too: a `Build` that records, a store in a dict that can misbehave, and readers.

    build = FakeBuild(MyParams(key="a"), storage=DictStorage({"a": b"one two"}))
    assert await content(await PREPARER.prepare(build)) == b"2 words"

Needs no test framework, no server and no worker.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from haulier.errors import HaulierError, SourceChanged, SourceMissing
from haulier.job import Progress, Request
from haulier.preparers.choosing import chosen
from haulier.preparers.port import Existing, Mark, Result, Resumable, Stream
from haulier.settings import Settings
from haulier.storage import ObjectInfo

__all__ = ["MODIFIED", "DictStorage", "FakeBuild", "check_resumable", "chosen", "content", "marks"]

MODIFIED = datetime(2026, 3, 1, 12, 30, 42, tzinfo=UTC)


class DictStorage:
    """Objects in a dict, for reading. `told` overrides the metadata of a key; `opened` counts reads that are open."""

    def __init__(self, objects: Mapping[str, bytes], *, chunk_bytes: int = 2**20) -> None:
        self.objects = dict(objects)
        self.told: dict[str, ObjectInfo] = {}
        self.chunk_bytes = chunk_bytes
        self.opened = 0
        self.most_opened = 0

    def info(self, key: str) -> ObjectInfo:
        """Metadata of an object; its ETag is another one whenever its bytes are."""
        content = self.objects[key]
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return ObjectInfo(key=key, size=len(content), etag=etag, last_modified=MODIFIED)

    async def head(self, key: str) -> ObjectInfo | None:
        return self.told.get(key) or (self.info(key) if key in self.objects else None)

    async def read_small(self, objects: Sequence[ObjectInfo]) -> list[bytes]:
        return [b"".join([chunk async for chunk in self.read(info.key, etag=info.etag)]) for info in objects]

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        for key in sorted({*self.objects, *self.told}):
            if key.startswith(prefix):
                yield self.told.get(key) or self.info(key)

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        if key not in self.objects:
            raise SourceMissing(name=key)
        if etag not in {None, self.info(key).etag}:
            raise SourceChanged(name=key)
        content = self.objects[key][start:end]
        self.opened += 1
        self.most_opened = max(self.most_opened, self.opened)
        try:
            for at in range(0, len(content), self.chunk_bytes):
                yield content[at : at + self.chunk_bytes]
        finally:
            self.opened -= 1


class FakeBuild:
    """A `Build`. `parts` says what `part(file_id)` answers: a result, or a function that makes one when asked.

    `reports`, `saved` and `states` (of the request's files by index; None: in the archive) hold what it was told.
    """

    def __init__(
        self,
        params: Any,
        *,
        request_params: Any = None,
        storage: Any = None,
        request: Request | None = None,
        file_name: str = "",
        settings: Settings | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        parts: Mapping[int, Result | Callable[[], Result]] | None = None,
    ) -> None:
        self.params = params
        self.request_params = request_params
        self.storage: Any = DictStorage({}) if storage is None else storage
        self.request = request or Request(file_id=70_000)
        self.file_name = file_name
        self.settings = settings or Settings()
        self.checkpoint = checkpoint
        self.parts = dict(parts or {})
        self.reports: list[Progress] = []
        self.saved: list[Mapping[str, Any]] = []
        self.states: dict[int, HaulierError | None] = {}

    def report(self, *, done: int, total: int | None = None, stage: str = "") -> None:
        self.reports.append(Progress(stage=stage, done=done, total=total))

    def settled(self, index: int, *, missing: HaulierError | None = None) -> None:
        self.states[index] = missing

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        self.saved.append(checkpoint)

    async def part(self, file_id: int) -> Result:
        if file_id not in self.parts:
            raise SourceMissing(name=f"downloads/{file_id}.zip")
        part = self.parts[file_id]
        return part if isinstance(part, Existing | Stream | Resumable) else part()


async def content(result: Result) -> bytes:
    """All bytes of a stream or of a resumable one, from its start."""
    assert isinstance(result, Stream | Resumable)
    return (await _opened(result, None))[0] if isinstance(result, Resumable) else await _joined(result.chunks)


async def marks(result: Resumable) -> list[tuple[bytes, Mark]]:
    """Each mark of the stream with the bytes before it, as a later attempt gets it: with the logs of all before."""
    return (await _opened(result, None))[1]


async def check_resumable(result: Resumable) -> bytes:
    """All bytes, after checking that the stream goes on from each of its marks with exactly what followed it.

    Raises AssertionError that says behind which byte it does not, or when there is no mark at all.
    """
    whole, found = await _opened(result, None)
    assert found, "the stream has no marks; a Stream would do"
    for before, mark in found:
        rest, _ = await _opened(result, mark)
        assert before + rest == whole, f"opened with the mark behind byte {len(before)}, the stream goes on differently"
    return whole


async def _opened(result: Resumable, mark: Mark | None) -> tuple[bytes, list[tuple[bytes, Mark]]]:
    written, log, found = bytearray(), bytearray(), list[tuple[bytes, Mark]]()
    chunks = result.open(mark)
    try:
        async for piece in chunks:
            if isinstance(piece, Mark):
                log += piece.log
                found.append((bytes(written), Mark(piece.state, bytes(log))))
            else:
                written += piece
    finally:
        aclose = getattr(chunks, "aclose", None)
        if aclose is not None:
            await aclose()
    return bytes(written), found


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])
