"""What a preparer receives, for tests: records what it reports and saves, and a store in a dict that can misbehave."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from haulier.errors import HaulierError, SourceChanged, SourceMissing
from haulier.job import Progress, Request
from haulier.preparers import Existing, Mark, Result, Resumable, Stream
from haulier.settings import Settings
from haulier.storage import ObjectInfo

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
        content = self.objects[key]
        return ObjectInfo(key=key, size=len(content), etag=f'"{hash(content)}"', last_modified=MODIFIED)

    async def head(self, key: str) -> ObjectInfo | None:
        return self.told.get(key) or (self.info(key) if key in self.objects else None)

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

    async def read_small(self, objects: Sequence[ObjectInfo]) -> list[bytes]:
        return [b"".join([chunk async for chunk in self.read(info.key, etag=info.etag)]) for info in objects]


class FakeBuild:
    """A `Build`. `parts` says what `part(file_id)` answers: a result, or a function that makes one when asked."""

    def __init__(
        self,
        params: Any,
        *,
        storage: Any = None,
        request: Request | None = None,
        file_name: str = "",
        settings: Settings | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        parts: Mapping[int, Result | Callable[[], Result]] | None = None,
    ) -> None:
        self.params = params
        self.storage = DictStorage({}) if storage is None else storage
        self.request = request or Request(file_id=70_000)
        self.file_name = file_name
        self.settings = settings or Settings()
        self.checkpoint = checkpoint
        self.parts = dict(parts or {})
        self.reports: list[Progress] = []
        self.files: dict[int, HaulierError | None] = {}
        self.saved: list[Mapping[str, Any]] = []

    def report(self, *, done: int, total: int | None = None, stage: str = "") -> None:
        self.reports.append(Progress(stage=stage, done=done, total=total))

    def settled(self, index: int, *, missing: HaulierError | None = None) -> None:
        self.files[index] = missing

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        self.saved.append(checkpoint)

    async def part(self, file_id: int) -> Result:
        if file_id not in self.parts:
            raise SourceMissing(name=f"downloads/{file_id}.zip")
        part = self.parts[file_id]
        return part if isinstance(part, Existing | Stream | Resumable) else part()


async def content(result: Result) -> bytes:
    """All bytes of a stream, from its start."""
    assert not isinstance(result, Existing)
    items = result.chunks if isinstance(result, Stream) else result.open(None)
    return b"".join([item async for item in items if not isinstance(item, Mark)])
