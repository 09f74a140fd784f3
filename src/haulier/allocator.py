"""Telling glibc's allocator to give memory back: parts of 16 MiB that many threads take and return otherwise stay.

By default each thread may get an arena of its own, and what was once freed in large blocks raises the size up to which
the allocator keeps blocks for itself: a worker then holds several times what it uses. (mallopt(3), glibc 2.36)
"""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
KEPT_BYTES = 4 << 20


def give_memory_back() -> None:
    """Use one arena, and return blocks from 4 MiB on to the system at once. Without glibc nothing happens."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
