"""Names of files inside archives and of artefacts: safe to extract anywhere, and unique.

The rule, in order: `\\` counts as `/`; control, surrogate, line-separator and bidirectional-override characters and `:`
become `_`; each segment loses trailing dots and spaces; segments that are empty then (so `.`, `..`, a leading `/`)
disappear; Windows device names (`con`, `nul`, …) get a leading `_`; a segment longer than 240 bytes of UTF-8 is cut
before its extension; a name of which nothing is left is `file`.
"""

import re
import unicodedata
from collections import defaultdict

MAX_SEGMENT_BYTES = 240  # file systems allow 255; leaves room for " (12345)"
MAX_SUFFIX_BYTES = 32

# Cc, Cs, Zl, Zp, bidirectional overrides and isolates, the colon of drives and alternate streams.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069:]")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9]) *(\.|$)", re.IGNORECASE)


def safe_path(path: str) -> str:
    """`path` as a relative path with `/` that stays inside the folder it is extracted to. Idempotent, never empty."""
    segments = (_safe_segment(segment) for segment in path.replace("\\", "/").split("/"))
    return "/".join(segment for segment in segments if segment) or "file"


def safe_file_name(name: str) -> str:
    """The last segment of `name` under the same rule: what a download may be called."""
    return safe_path(name).rsplit("/", 1)[-1]


def _safe_segment(segment: str) -> str:
    segment = _cut(_UNSAFE.sub("_", segment)).rstrip(". ")
    return _cut(f"_{segment}") if _DEVICE.match(segment) else segment


def _cut(segment: str) -> str:
    if len(segment.encode()) <= MAX_SEGMENT_BYTES:
        return segment
    stem, suffix = _split(segment)
    if len(suffix.encode()) > MAX_SUFFIX_BYTES:
        stem, suffix = segment, ""
    room = MAX_SEGMENT_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + suffix


def _split(segment: str) -> tuple[str, str]:
    """Stem and extension with its dot; a leading dot starts a name, not an extension."""
    at = segment.rfind(".")
    return (segment[:at], segment[at:]) if at > 0 else (segment, "")


class UniqueNames:
    """Gives each file of one archive a path that no other file or folder of it has.

    Compared without case and Unicode form, because Windows and macOS extract `A` over `a`. A taken name becomes
    `name (2).ext`, `name (3).ext`, …; a folder that would have the name of a file becomes `name (2)`.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._next: defaultdict[str, int] = defaultdict(lambda: 2)

    def claim(self, path: str) -> str:
        """A safe, unique path for `path`, taken from now on."""
        *folders, name = safe_path(path).split("/")
        parent = ""
        for folder in folders:
            parent = self._folder(parent + folder) + "/"
        chosen = self._file(parent, name)
        self._files.add(_folded(chosen))
        return chosen

    def _folder(self, path: str) -> str:
        chosen, number = path, 2
        while _folded(chosen) in self._files:
            chosen, number = f"{path} ({number})", number + 1
        self._folders.add(_folded(chosen))
        return chosen

    def _file(self, parent: str, name: str) -> str:
        stem, suffix = _split(name)
        first = chosen = parent + name
        while self._is_taken(_folded(chosen)):
            number = self._next[_folded(first)]
            self._next[_folded(first)] += 1
            chosen = f"{parent}{stem} ({number}){suffix}"
        return chosen

    def _is_taken(self, folded: str) -> bool:
        return folded in self._files or folded in self._folders


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
