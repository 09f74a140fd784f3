"""Storage in this process's memory, for tests and trials."""

import asyncio
import secrets
from collections.abc import Collection, Sequence

import obstore
from obstore.store import MemoryStore

from haulier.clock import SYSTEM_CLOCK
from haulier.errors import UploadLost
from haulier.storage.keys import check_key
from haulier.storage.objects import ObjectStorage
from haulier.storage.parts import check_part, whole
from haulier.storage.port import Part, Upload
from haulier.storage.signing import Signer


class _Growing:
    """Parts by number, and when they began."""

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.began = SYSTEM_CLOCK.monotonic()
        self.completing = asyncio.Lock()


class MemoryStorage(ObjectStorage):
    """Objects live as long as this."""

    def __init__(self, *, signer: Signer) -> None:
        super().__init__(MemoryStore(), signer=signer, keeps_headers=False)
        self._growing: dict[str, _Growing] = {}

    async def begin_upload(self, key: str, *, file_name: str, content_type: str) -> Upload:
        del file_name, content_type
        check_key(key)
        handle = secrets.token_hex(8)
        self._growing[handle] = _Growing()
        return self.open_upload(key, handle)

    def open_upload(self, key: str, handle: str) -> Upload:
        return MemoryUpload(self, check_key(key), handle, growing=self._growing)

    async def put(self, key: str, content: bytes) -> None:
        """Store a whole object."""
        await obstore.put_async(self._store, key, content)

    async def sweep_uploads(self, *, older_than_s: float, keep: Collection[str] = ()) -> int:
        latest = SYSTEM_CLOCK.monotonic() - older_than_s
        over = [handle for handle, one in self._growing.items() if one.began <= latest and handle not in keep]
        for handle in over:
            del self._growing[handle]
        return len(over)


class MemoryUpload:
    """See Upload."""

    def __init__(self, storage: MemoryStorage, key: str, handle: str, *, growing: dict[str, _Growing]) -> None:
        self._storage = storage
        self._key = key
        self._handle = handle
        self._growing = growing

    @property
    def handle(self) -> str:
        return self._handle

    async def send(self, number: int, content: bytes) -> Part:
        check_part(number, content, part_bytes=self._storage.part_bytes)
        if self._handle not in self._growing:
            raise UploadLost
        self._growing[self._handle].parts[number] = content
        return Part(number, len(content), etag="")

    async def complete(self, parts: Sequence[Part]) -> str:
        ordered, size = whole(parts, part_bytes=self._storage.part_bytes)
        growing = self._growing.get(self._handle)
        if growing is not None:
            async with growing.completing:
                await self._put(growing, [part.number for part in ordered], size)
        found = await self._storage.head(self._key)
        if found is None or found.size != size:
            raise UploadLost
        return found.etag

    async def _put(self, growing: _Growing, numbers: list[int], size: int) -> None:
        if self._handle not in self._growing:  # completed by somebody else meanwhile
            return
        held = [growing.parts.get(number) for number in numbers]
        content = b"".join(piece for piece in held if piece is not None)
        if None in held or len(content) != size:
            raise UploadLost
        await self._storage.put(self._key, content)
        self._growing.pop(self._handle, None)

    async def abort(self) -> None:
        self._growing.pop(self._handle, None)
