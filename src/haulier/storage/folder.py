"""Storage in a folder of this machine, or of a file system that all machines share."""

import asyncio
import errno
import os
import re
import stat
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import obstore
from obstore.store import LocalStore

from haulier.artefacts import ARTEFACTS, is_ours
from haulier.clock import SYSTEM_CLOCK
from haulier.errors import SourceChanged, SourceMissing, SourceTruncated, StorageFailed, StorageUnavailable
from haulier.silence import answered_within
from haulier.storage.failures import STORE_ERRORS, open_failure, read_failure, unavailable
from haulier.storage.growing import MAX_NAME_BYTES, FolderUpload, flush, handle_in, new_handle
from haulier.storage.keys import check_key, check_prefix
from haulier.storage.objects import PING_S, READ_BYTES, ObjectStorage, info_of
from haulier.storage.port import ObjectInfo, Upload, Written
from haulier.storage.signing import Signer

_UPLOADING = re.compile(r"#\d+$")  # the name of a file that is not whole yet, obstore's or ours


class FolderStorage(ObjectStorage):
    """Objects are files below `root`. Links that lead out of it are as good as missing.

    What obstore leaves to us: file names it cannot hold, links, key order, leftovers and emptied folders.
    """

    def __init__(self, root: Path, *, signer: Signer) -> None:
        super().__init__(LocalStore(root), signer=signer, keeps_headers=False)
        self._root = root.resolve()

    async def _holds(self, key: str) -> bool:
        check_key(key)
        return await asyncio.to_thread(self._takes, key)

    def _takes(self, key: str) -> bool:
        if _UPLOADING.search(key) or any(len(name.encode()) > MAX_NAME_BYTES for name in key.split("/")):
            return False
        place = self._root / key
        return self._is_inside(place) and not place.is_dir()

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """See Storage.read. obstore streams files in pieces of 8 KiB, at a twentieth of this speed."""
        if not await self._holds(key):
            raise SourceMissing(name=key)
        try:
            # Opening a pipe that somebody put here must not wait for its writer.
            handle = await asyncio.to_thread(os.open, self._root / key, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise open_failure(error, key) from error
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise SourceMissing(name=key)
            if etag is not None and etag != _etag(found):
                raise SourceChanged(name=key)
            async for chunk in _chunks(handle, key, start, found.st_size if end is None else min(end, found.st_size)):
                yield chunk
        finally:
            os.close(handle)

    async def read_small(self, objects: Sequence[ObjectInfo]) -> Sequence[bytes]:
        """See Storage.read_small. In one go: a file's way to a thread and back takes longer than reading it."""
        return await asyncio.to_thread(self._read_all, objects)

    def _read_all(self, objects: Sequence[ObjectInfo]) -> Sequence[bytes]:
        inside: dict[str, bool] = {}
        return [self._read_whole(info, inside) for info in objects]

    def _read_whole(self, info: ObjectInfo, inside: dict[str, bool]) -> bytes:
        """`inside` remembers which folders are inside the store: finding out takes longer than reading the file."""
        key = check_key(info.key)
        folder = key.rpartition("/")[0]
        if folder not in inside:
            inside[folder] = self._is_inside(self._root / folder)
        if not inside[folder] or _UPLOADING.search(key):
            raise SourceMissing(name=key)
        place = os.path.join(self._root, key)  # noqa: PTH118  a Path for each of 100,000 files takes its time
        try:
            handle = _opened(place, follow=False)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise open_failure(error, key) from error
            if not self._is_inside(self._root / key):
                raise SourceMissing(name=key) from error
            handle = _opened(place, follow=True)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise SourceMissing(name=key)
            if info.etag != _etag(found):
                raise SourceChanged(name=key)
            return os.pread(handle, found.st_size, 0)
        except OSError as error:
            raise read_failure(error, key) from error
        finally:
            os.close(handle)

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, file_name: str, content_type: str) -> Written:
        if not await self._holds(key):
            raise StorageFailed(reason="the file system does not take this file name")
        try:
            written = await super().write(key, chunks, file_name=file_name, content_type=content_type)
        except BaseException:
            self._tidy(key)  # not in a thread: a second cancellation must not stop it
            raise
        await asyncio.to_thread(_flush, self._root / key)
        return written

    async def begin_upload(self, key: str, *, file_name: str, content_type: str) -> Upload:
        del file_name, content_type
        if not await self._holds(key):
            raise StorageFailed(reason="the file system does not take this file name")
        upload = self._upload(key, new_handle())
        await upload.begin()
        return upload

    def open_upload(self, key: str, handle: str) -> Upload:
        return self._upload(check_key(key), handle)

    def _upload(self, key: str, handle: str) -> FolderUpload:
        tidy = partial(self._tidy, key)
        return FolderUpload(
            self._root / key, handle, root=self._root, part_bytes=self.part_bytes, etag_of=_etag, tidy=tidy
        )

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            if await self._holds(key):
                await super().delete([key])
                await asyncio.to_thread(self._tidy, key)

    def _tidy(self, key: str) -> None:
        """Remove what a failed `write` of ours left, and the folders that became empty."""
        if not is_ours(key):
            return
        place = self._root / key
        with suppress(OSError):
            for left in place.parent.iterdir():
                is_of_key = left.name.startswith(place.name) and _UPLOADING.fullmatch(left.name[len(place.name) :])
                if is_of_key and not handle_in(left.name):
                    left.unlink()
        top = self._root / ARTEFACTS
        for folder in place.parents:
            if folder == top:
                return
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # not empty
                return

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Folder by folder, each in key order, so that no more than one path of folders is in memory."""
        folder = check_prefix(prefix)
        if folder is not None and not await asyncio.to_thread(self._is_inside, self._root / folder):
            return
        try:
            async for info in self._walk(folder):
                yield info
        except STORE_ERRORS as error:
            raise unavailable(error) from error

    async def _walk(self, folder: str | None) -> AsyncIterator[ObjectInfo]:
        listed = await obstore.list_with_delimiter_async(self._store, folder)
        # With their slash, folders sort among the objects as all keys below them do.
        found: dict[str, ObjectInfo | None] = {f"{name}/": None for name in listed["common_prefixes"]}
        found |= {meta["path"]: info_of(meta) for meta in listed["objects"]}
        for name in await asyncio.to_thread(self._without_links_out, found):
            info = found[name]
            if info is not None:
                yield info
                continue
            async for below in self._walk(name.removesuffix("/")):
                yield below

    def _without_links_out(self, names: Iterable[str]) -> Sequence[str]:
        """In key order, without links out of the store, and without links to folders, which may go round in circles."""
        return sorted(
            (
                name
                for name in names
                if not (place := self._root / name).is_symlink() or (not name.endswith("/") and self._is_inside(place))
            ),
            key=str.encode,
        )

    def _is_inside(self, place: Path) -> bool:
        return place.resolve().is_relative_to(self._root)

    async def sweep_uploads(self, *, older_than_s: float, keep: Collection[str] = ()) -> int:
        return await asyncio.to_thread(self._sweep, older_than_s, keep)

    def _sweep(self, older_than_s: float, keep: Collection[str]) -> int:
        latest, swept = SYSTEM_CLOCK.now().timestamp() - older_than_s, 0
        for folder, _, names in os.walk(self._root / ARTEFACTS):
            for place in (Path(folder) / name for name in names if _UPLOADING.search(name)):
                with suppress(FileNotFoundError):
                    if place.lstat().st_mtime <= latest and handle_in(place.name) not in keep:
                        place.unlink()
                        self._tidy(place.relative_to(self._root).as_posix())
                        swept += 1
        return swept

    async def ping(self) -> None:
        try:
            async with answered_within(PING_S):
                usable = await asyncio.to_thread(os.access, self._root, os.R_OK | os.W_OK | os.X_OK)
        except TimeoutError as error:
            raise unavailable(error) from error
        if not usable:
            raise StorageUnavailable(reason="the folder does not exist or is not writable")


async def _chunks(handle: int, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    at = start
    while at < end:
        try:
            # A cancelled read may outlive `handle`: pread moves no position and fails on pipes and sockets.
            chunk = await asyncio.to_thread(os.pread, handle, min(READ_BYTES, end - at), at)
        except OSError as error:
            raise read_failure(error, key) from error
        if not chunk:
            raise SourceTruncated(name=key, got=at - start, expected=end - start)
        at += len(chunk)
        yield chunk


def _opened(place: str, *, follow: bool) -> int:
    # Opening a pipe that somebody put here must not wait for its writer.
    return os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))


def _etag(found: os.stat_result) -> str:
    """obstore's ETag of a file: inode, microseconds of the last change and size."""
    return f'"{found.st_ino:x}-{found.st_mtime_ns // 1_000:x}-{found.st_size:x}"'


def _flush(place: Path) -> None:
    """Make a file and its name survive a loss of power: what the ledger calls completed must still be there."""
    flush(place)
    flush(place.parent)
