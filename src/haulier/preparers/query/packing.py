"""Compressing a stream in pieces that stand for themselves: gzip members or zstd frames, one after the other."""

from collections.abc import Callable

import zstandard

from haulier.preparers import deflating
from haulier.preparers.query.params import Compression

GZIP_LEVEL = 2  # of isal's 0 to 3
ZSTD_LEVEL = 3


def packer(compression: Compression) -> Callable[[bytes], bytes]:
    """From the bytes of a chunk to a whole member or frame: the same bytes for the same chunk."""
    if compression == "gzip":
        return _gzip
    if compression == "zstd":
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress
    return _plain


def _gzip(content: bytes) -> bytes:
    return deflating.compressed(content, level=GZIP_LEVEL, wrapper=deflating.GZIP, end=deflating.LAST)


def _plain(content: bytes) -> bytes:
    return content
