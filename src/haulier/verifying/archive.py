"""A ZIP against its own manifest, entry by entry. Blocking; memory is bounded whatever the file claims to be."""

import hashlib
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from io import SEEK_SET, BufferedReader
from typing import IO

from haulier.verifying.manifest import MAX_BYTES, NAME, BadManifest, Manifest, ManifestEntry, read_manifest
from haulier.verifying.verdict import ArchiveVerdict, Entry

BLOCK = 2**20
# zipfile reads the directory at once; ours are a hundredth of this for 10,000 entries.
MAX_DIRECTORY_BYTES = 2**27
TAIL_BYTES = 2**17
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
# A drive, a root, or a way up; and what no name of ours has.
_UNSAFE = re.compile(r"^(/|[A-Za-z]:)|(^|/)\.\.(/|$)|[\\\x00-\x1f\x7f]")
# What zipfile raises for bytes that are not as they should be.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError)

Watch = Callable[[int, int], None]


class ArchiveFile(BufferedReader):
    """A file that refuses what only a wrong directory asks for: places that cannot be, and all at once."""

    def seek(self, target: int, whence: int = SEEK_SET, /) -> int:
        if whence == SEEK_SET and not 0 <= target < 2**63:
            raise zipfile.BadZipFile
        return super().seek(target, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # zipfile reads the last 64 KiB so
            return super().read(TAIL_BYTES)
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile
        return super().read(size)


def is_archive(file: IO[bytes]) -> bool:
    """Whether it begins as a ZIP does."""
    file.seek(0)
    return file.read(4) in _SIGNATURES


def check_archive(file: ArchiveFile, *, size: int, intact: bool, everything: bool, watch: Watch) -> ArchiveVerdict:
    """Compare the entries of the ZIP `file` of `size` bytes with its manifest.

    Without a manifest, the entries of a file that is not `intact` as a whole are compared with the CRC-32 of the
    directory, which finds accidents. Never raises for what is in the file, OSError for what the disk says. `everything`
    lists good entries too.
    """
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN:
        return ArchiveVerdict(problem="its directory, which ends a ZIP, is damaged or missing")
    with archive:
        members = sorted(archive.infolist(), key=lambda member: member.header_offset)
        # Members that share bytes would let a small file make work without end.
        if sum(member.compress_size for member in members) > size:
            return ArchiveVerdict(problem="its directory is wrong: the entries would be larger than the file")
        own = next((member for member in reversed(members) if member.orig_filename == NAME), None)
        manifest, problem = _manifest(archive, own)
        if manifest is None and intact:
            return ArchiveVerdict(problem=problem)
        if manifest is None:
            manifest, own = _by_directory(members), None
        entries = _Reader(archive, manifest, watch).entries(member for member in members if member is not own)
        return _verdict(manifest, entries, problem=problem, everything=everything)


def _manifest(archive: zipfile.ZipFile, own: zipfile.ZipInfo | None) -> tuple[Manifest | None, str]:
    """What the member `own` says, or why there is nothing to compare with."""
    if own is None:
        return None, f"it has no {NAME}"
    try:
        return read_manifest(_content(archive, own)), ""
    except BadManifest as error:
        return None, str(error)
    except _BROKEN:
        return None, f"its {NAME} is damaged"


def _by_directory(members: Iterable[zipfile.ZipInfo]) -> Manifest:
    """A manifest without digests: zipfile compares CRC-32 by itself."""
    entries = {member.orig_filename: ManifestEntry(member.orig_filename, member.file_size, "") for member in members}
    return Manifest(entries, ())


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_BYTES:
        raise BadManifest(f"{NAME} is larger than {MAX_BYTES} bytes")
    if reason := _unreadable(member):
        raise BadManifest(f"{NAME} {reason}")
    with archive.open(member) as stream:
        return b"".join(iter(lambda: stream.read(BLOCK), b""))


def _verdict(manifest: Manifest, entries: Iterable[Entry], *, problem: str, everything: bool) -> ArchiveVerdict:
    counts: Counter[str] = Counter()
    listed: list[Entry] = []
    for entry in entries:
        counts[entry.state] += 1
        if everything or entry.state != "good":
            listed.append(entry)
    return ArchiveVerdict(
        entries=len(manifest.entries),
        good=counts["good"],
        damaged=counts["damaged"],
        missing=counts["missing"],
        extra=counts["extra"],
        unsafe=counts["unsafe"],
        left_out=manifest.left_out,
        listed=tuple(listed),
        problem=problem,
    )


class _Reader:
    """Reads members and counts their bytes."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest, watch: Watch) -> None:
        self._archive = archive
        self._expected = manifest.entries
        self._watch = watch
        self._done = 0
        self._total = sum(entry.size for entry in manifest.entries.values())

    def entries(self, members: Iterable[zipfile.ZipInfo]) -> Iterable[Entry]:
        """What is there, in the archive's order, then what is not."""
        seen: set[str] = set()
        for member in members:
            yield self._entry(member, again=member.orig_filename in seen)
            seen.add(member.orig_filename)
        for name, expected in self._expected.items():
            if name not in seen:
                yield Entry(name, "missing", expected.size, "the manifest lists it, the archive lacks it")

    def _entry(self, member: zipfile.ZipInfo, *, again: bool) -> Entry:
        name = member.orig_filename
        expected = self._expected.get(name)
        if expected is None or again:
            reason = "its name stands twice in the archive" if again else "the manifest does not list it"
            return Entry(name, "extra", member.file_size, reason)
        reason = self._difference(member, expected)
        if reason:
            return Entry(name, "damaged", expected.size, reason)
        if _UNSAFE.search(name):
            return Entry(name, "unsafe", expected.size, "its name leads out of the folder it is extracted to")
        return Entry(name, "good", expected.size)

    def _difference(self, member: zipfile.ZipInfo, expected: ManifestEntry) -> str:
        if reason := _unreadable(member):
            return reason
        if member.file_size != expected.size:
            return f"it has {member.file_size} bytes, the manifest says {expected.size}"
        digest, got = hashlib.sha256(), 0
        try:
            # zipfile stops at file_size, which is what the manifest says, however much there is to inflate.
            with self._archive.open(member) as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
                    got += len(block)
                    self._watch(self._done + got, self._total)
        except _BROKEN:
            return "its bytes are damaged"
        finally:
            self._done += expected.size
        if got != expected.size:
            return f"it ends after {got} of {expected.size} bytes"
        return "" if expected.sha256 in ("", digest.hexdigest()) else "its SHA-256 is not the manifest's"


def _unreadable(member: zipfile.ZipInfo) -> str:
    """Why a member is none that Haulier wrote."""
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return "" if member.compress_type in _METHODS else "is compressed in a way that Haulier does not use"
