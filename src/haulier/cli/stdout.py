"""stdout as a place for files and for JSON."""

import os
import sys
import threading
from contextlib import suppress
from typing import Any

import msgspec

STDOUT = "-"  # as the name of a file


def send(chunk: bytes) -> None:
    """Write all of it, past Python's buffers: a thread that hangs in them keeps the program from ending.

    Raises OSError.
    """
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(sys.stdout.fileno(), rest) :]


def print_json(shape: Any) -> None:
    """A line of JSON, in UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(shape) + b"\n")
    sys.stdout.buffer.flush()


def offer_json(shape: Any, *, within_s: float) -> None:
    """As `print_json`, but what nobody has taken after `within_s` is given up, and so is what cannot be written."""

    def offer() -> None:
        with suppress(OSError):
            send(msgspec.json.encode(shape) + b"\n")

    offering = threading.Thread(target=offer, daemon=True)
    offering.start()
    offering.join(within_s)


def speak_any_locale() -> None:
    """What the terminal's character set lacks becomes a question mark instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
