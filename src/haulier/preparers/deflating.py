"""Deflate by isal such that the same bytes always become the same bytes. Pure; takes milliseconds without the GIL."""

from isal import isal_zlib

RAW, GZIP = -15, 31  # zlib's `wbits`
NOT_LAST, LAST = isal_zlib.Z_FULL_FLUSH, isal_zlib.Z_FINISH

_HEAD_BYTES = 16  # few enough that ISA-L's loop for many bytes is not entered with them


def compressed(content: bytes, *, level: int, wrapper: int, end: int) -> bytes:
    """`content` compressed by a compressor of its own, at isal's `level` (0 to 3).

    The first bytes go in by themselves: docs/decisions/0004-zip-writing.md, "isal forgets to set a register".
    """
    compressor = isal_zlib.compressobj(level, isal_zlib.DEFLATED, wrapper)
    parts = [compressor.compress(content[:_HEAD_BYTES]), compressor.flush(isal_zlib.Z_SYNC_FLUSH)]
    # The rest in one call: where isal's output is cut depends on where its input was.
    parts += [compressor.compress(memoryview(content)[_HEAD_BYTES:]), compressor.flush(end)]
    return b"".join(parts)
