"""What an archive is made of: its members in order, in the versions that were found, and what is missing."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from itertools import islice

import msgspec

from haulier.errors import HaulierError, SourceChanged, SourceDenied, SourceMissing
from haulier.preparers.names import UniqueNames
from haulier.preparers.port import Build, Existing, Stream
from haulier.preparers.sources import Entry
from haulier.preparers.streams import close
from haulier.provenance import Input, Inputs
from haulier.storage import ObjectInfo, Storage

HEADS_AT_A_TIME = 32

Absent = SourceMissing | SourceDenied  # a source that is not there however often one asks


class Missing(msgspec.Struct, frozen=True):
    """A source that the archive lacks. `index` is its place among the request's files, when it is one of them."""

    source: str
    error: HaulierError
    file_id: int | None = None
    index: int | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for: objects of a folder, objects, files of the catalogue; in this order.

    `strip` None stands for the prefix in the paths of its objects. `allow_missing`: leave out what is absent.
    """

    prefix: str
    keys: Sequence[str]
    file_ids: Sequence[int]
    strip: str | None
    allow_missing: bool


class Plan:
    """Members that were found, each with its name in the archive, and the parts that are still to be prepared.

    A part that is a Stream may hold a connection, so no more than one is open: those behind it wait for its end.
    """

    def __init__(self, build: Build, wanted: Wanted) -> None:
        self._build = build
        self._wanted = wanted
        self._is_batch = bool(wanted.file_ids) and tuple(build.request.file_ids) == tuple(wanted.file_ids)
        self._names = UniqueNames()
        self._waiting = list(enumerate(wanted.file_ids))
        self._stream: Stream | None = None
        self.entries: list[Entry] = []
        self.names: list[str] = []
        self.missing: list[Missing] = []

    @property
    def allow_missing(self) -> bool:
        """Whether what is absent is left out."""
        return self._wanted.allow_missing

    @property
    def inputs(self) -> Inputs:
        """Every member in its version; None when one has none that is known beforehand."""
        if self._stream is not None or self._waiting:
            return None
        inputs: list[Input] = []
        for entry in self.entries:
            if entry.part is None:
                inputs.append(Input(entry.source, entry.etag, entry.size))
            elif entry.part.inputs is None:
                return None
            else:
                inputs += entry.part.inputs
        return tuple(inputs)

    @property
    def total(self) -> int | None:
        """Bytes of all members, or None when that shows only when they are read."""
        sizes = [entry.size for entry in self.entries]
        return None if self._stream is not None or None in sizes else sum(size or 0 for size in sizes)

    def digest(self) -> str:
        """Covers all that decides about the archive's bytes besides the sources' own: names, order, times, absences."""
        whole = hashlib.sha256()
        for name, entry in zip(self.names, self.entries, strict=True):
            whole.update(msgspec.json.encode((name, entry.source, entry.etag, entry.size, entry.modified)))
        for absent in self.missing:
            whole.update(msgspec.json.encode((absent.source, absent.file_id, absent.error.code, absent.error.detail)))
        return whole.hexdigest()

    async def find(self, *, reserved: str) -> None:
        """Look for everything. No member gets the name `reserved`.

        Raises SourceMissing or SourceDenied for the first that is absent unless that is allowed, and when nothing is
        left.
        """
        self._names.claim(reserved)
        found = await self._in_folder()
        found += await self._objects()
        while self._waiting and self._stream is None:
            found += await self._next_part()
        found = await self._with_times(found)
        if not found and not self._waiting and self.missing:
            raise self.missing[0].error
        self.names = await asyncio.to_thread(lambda: [self._names.claim(entry.path) for entry in found])
        self.entries = found

    async def each(self, start: int) -> AsyncGenerator[tuple[Entry, str], None]:
        """Each member from number `start` on, with its name. A Stream must be read before the next is asked for."""
        for place in range(start, len(self.entries)):
            yield self.entries[place], self.names[place]
        while self._waiting:
            for entry in await self._with_times(await self._next_part()):
                self.entries.append(entry)
                self.names.append(self._names.claim(entry.path))
                yield entry, self.names[-1]

    async def aclose(self) -> None:
        """Release the part that is open."""
        if self._stream is not None:
            await close(self._stream.chunks)

    async def _in_folder(self) -> list[Entry]:
        prefix, strip = self._wanted.prefix, self._wanted.strip
        if not prefix:
            return []
        folder = prefix if prefix.endswith("/") else prefix + "/"
        found = [
            _object(info, _relative(info.key, folder if strip is None else strip))
            async for info in self._build.storage.list(folder)
            if not info.key.endswith("/")  # folder markers of S3 consoles
        ]
        if not found:
            self._lacks(Missing(folder, SourceMissing(name=folder)))
        return found

    async def _objects(self) -> list[Entry]:
        found: list[Entry] = []
        for key, info in await _heads(self._build.storage, self._wanted.keys):
            if isinstance(info, ObjectInfo):
                found.append(_object(info, _relative(key, self._wanted.strip or "")))
            else:
                self._lacks(Missing(key, info))
        return found

    async def _next_part(self) -> list[Entry]:
        """The next file of the catalogue, or nothing when it is absent."""
        place, file_id = self._waiting.pop(0)
        index = place if self._is_batch else None
        try:
            part = await self._build.part(file_id)
        except (SourceMissing, SourceDenied) as error:
            source = str(error.facts.get("name") or file_id)
            self._lacks(Missing(source, error, file_id, index))
            return []
        if isinstance(part, Existing):
            return [Entry(part.key, part.etag, part.file_name, part.size, None, index=index)]
        if isinstance(part, Stream):
            self._stream = part
        only = part.inputs[0] if part.inputs and len(part.inputs) == 1 else Input(part.file_name, "")
        return [Entry(only.name, only.etag, part.file_name, part.size, None, part=part, index=index)]

    async def _with_times(self, found: list[Entry]) -> list[Entry]:
        """The same with the times of objects that came as parts."""
        timeless = [entry.source for entry in found if entry.part is None and entry.modified is None]
        if not timeless:
            return found
        infos = dict(await _heads(self._build.storage, timeless))
        return [
            _checked(entry, infos[entry.source]) if entry.part is None and entry.modified is None else entry
            for entry in found
        ]

    def _lacks(self, absent: Missing) -> None:
        if not self._wanted.allow_missing:
            raise absent.error
        self.missing.append(absent)
        if absent.index is not None:
            self._build.settled(absent.index, missing=absent.error)


def _checked(entry: Entry, info: ObjectInfo | Absent) -> Entry:
    """`entry` with its object's time. It was there a moment ago: that it is not now is a change."""
    if not isinstance(info, ObjectInfo) or info.etag != entry.etag:
        raise SourceChanged(name=entry.source)
    return msgspec.structs.replace(entry, modified=info.last_modified)


async def _heads(storage: Storage, keys: Sequence[str]) -> list[tuple[str, ObjectInfo | Absent]]:
    """The metadata of all keys, in their order, or why there is none."""
    infos: list[tuple[str, ObjectInfo | Absent]] = []
    waiting = iter(keys)
    while batch := list(islice(waiting, HEADS_AT_A_TIME)):
        # return_exceptions: none of them may go on by itself when another fails
        answers = await asyncio.gather(*(storage.head(key) for key in batch), return_exceptions=True)
        for key, answer in zip(batch, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, SourceMissing | SourceDenied):
                raise answer
            infos.append((key, SourceMissing(name=key) if answer is None else answer))
    return infos


def _relative(key: str, strip: str) -> str:
    return key.removeprefix(strip) or key


def _object(info: ObjectInfo, path: str) -> Entry:
    return Entry(info.key, info.etag, path, info.size, info.last_modified)
