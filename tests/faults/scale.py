"""How much of the fault tests runs: a fast subset in `make test`, all of it in `make faults`."""

import os
from typing import TypeVar

import pytest

T = TypeVar("T")
FULL = os.environ.get("HAULIER_FAULTS") == "full"


def scale(*, fast: T, full: T) -> T:
    """The number for this run."""
    return full if FULL else fast


only_full = pytest.mark.skipif(not FULL, reason="make faults runs it")
