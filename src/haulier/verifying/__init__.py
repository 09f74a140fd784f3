"""Checking a file against its receipt, without asking anybody: `verify(path, receipt, trusted=keys)`."""

from haulier.verifying.verdict import ArchiveVerdict, Entry, LeftOut, Pair, Verdict
from haulier.verifying.verify import Watch, verify

__all__ = ["ArchiveVerdict", "Entry", "LeftOut", "Pair", "Verdict", "Watch", "verify"]
