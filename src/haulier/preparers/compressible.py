"""Whether bytes are worth compressing: by extension, by magic bytes, by trying."""

from haulier.preparers.segments import deflated

SAMPLE_BYTES = 2**16
WORTH_IT = 0.95  # of the sample's size; above it, compressing costs time and saves nothing

_EXTENSIONS = frozenset({
    "7z", "aac", "apk", "avif", "br", "bz2", "docx", "epub", "flac", "gif", "gz", "heic", "heif", "jar", "jpeg",
    "jpg", "jxl", "lz4", "lzma", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpg", "odp", "ods", "odt", "ogg",
    "opus", "parquet", "png", "pptx", "rar", "tbz2", "tgz", "txz", "webm", "webp", "whl", "wma", "wmv", "woff",
    "woff2", "xlsx", "xz", "zip", "zst",
})  # fmt: skip

_MAGIC = (
    b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c", b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18", b"Rar!\x1a\x07", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"OggS",
    b"fLaC", b"ID3", b"\x1aE\xdf\xa3", b"wOFF", b"wOF2", b"PAR1",
)  # fmt: skip


def is_compressed(name: str, first: bytes) -> bool:
    """Whether a file called `name` that starts with `first` is compressed (or random, or encrypted) already."""
    if name.rpartition(".")[2].lower() in _EXTENSIONS or first.startswith(_MAGIC):
        return True
    if first[4:8] == b"ftyp" or (first[:4] == b"RIFF" and first[8:12] == b"WEBP"):
        return True
    sample = first[:SAMPLE_BYTES]
    return len(sample) >= 512 and len(deflated((sample,))) > len(sample) * WORTH_IT
