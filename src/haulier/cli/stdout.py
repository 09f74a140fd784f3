"""stdout as a place for files and for JSON."""

import sys
from typing import Any

import msgspec

from haulier.cli.offering import offer, write_all

STDOUT = "-"  # as the name of a file


def send(chunk: bytes) -> None:
    """Write all of it to stdout. Raises OSError."""
    write_all(chunk, to=sys.stdout.fileno())


def print_json(shape: Any) -> None:
    """A line of JSON, in UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(shape) + b"\n")
    sys.stdout.buffer.flush()


def offer_json(shape: Any, *, within_s: float) -> None:
    """As `print_json`, but what nobody has taken after `within_s` is given up, and so is what cannot be written."""
    offer(msgspec.json.encode(shape) + b"\n", to=sys.stdout.fileno(), within_s=within_s)


def speak_any_locale() -> None:
    """What the terminal's character set lacks becomes a question mark instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
