"""Telling glibc's allocator to use the same memory again: parts of 16 MiB come and go in many threads.

By default each thread may get an arena of its own, and blocks above a moving size are asked of the system one by one:
a worker then holds twice what it needs, and the system fills pages with zeros for half of the time that a build takes
(measured in docs/decisions/0004-zip-writing.md). See mallopt(3); values as glibc 2.36 takes them.
"""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
REUSED_BYTES = 64 << 20
KEPT_BYTES = 128 << 20


def reuse_memory() -> None:
    """One arena; blocks below 64 MiB come from it; above 128 MiB of free memory go back. Without glibc: nothing."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, REUSED_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
