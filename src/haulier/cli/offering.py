"""Last words of a program that was told to end: written for a while, and given up when nobody takes them."""

import os
import threading
from contextlib import suppress


def write_all(data: bytes, *, to: int) -> None:
    """Write all of it to the descriptor `to`, past Python's buffers: a thread that hangs in them keeps the program from
    ending. Raises OSError.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(to, rest) :]


def offer(data: bytes, *, to: int, within_s: float) -> None:
    """As `write_all`, but what nobody has taken after `within_s` is given up, and so is what cannot be written."""

    def offering() -> None:
        with suppress(OSError):
            write_all(data, to=to)

    thread = threading.Thread(target=offering, daemon=True)
    thread.start()
    thread.join(within_s)
