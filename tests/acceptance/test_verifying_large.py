"""Verifying takes the same memory whatever the file's size. Measured on the command itself."""

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from tests.receipts import KEYS, MANIFEST, SIGNER, receipt

LARGE = "HAULIER_TEST_LARGE" in os.environ
BLOCK = os.urandom(2**20)

pytestmark = pytest.mark.timeout(300)


def of_size(path: Path, size_mib: int) -> None:
    """An archive with one entry."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(path, "w") as made:
        with made.open("one.bin", "w", force_zip64=True) as member:
            for _ in range(size_mib):
                member.write(BLOCK)
                digest.update(BLOCK)
        entry = {"name": "one.bin", "size": size_mib * len(BLOCK), "sha256": digest.hexdigest()}
        made.writestr(MANIFEST, msgspec.json.encode({"haulier_manifest": 1, "entries": [entry], "missing": []}))


def of_entries(path: Path, count: int) -> None:
    """An archive with many."""
    entries = []
    with zipfile.ZipFile(path, "w") as made:
        for number in range(count):
            name, content = f"folder-{number // 1000:03}/a document with a longer name {number:06}.txt", b"%d" % number
            made.writestr(name, content)
            entries.append({"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
        made.writestr(MANIFEST, msgspec.json.encode({"haulier_manifest": 1, "entries": entries, "missing": []}))


def peak_mib(path: Path) -> int:
    """Most memory of `haulier verify`, which has to find the file right."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    artefact = msgspec.structs.replace(receipt().artefact, size=path.stat().st_size, sha256=sha256)
    beside, keys = path.with_suffix(".json"), path.with_suffix(".keys")
    beside.write_bytes(msgspec.json.encode(SIGNER.sign(receipt(artefact=artefact))))
    keys.write_bytes(msgspec.json.encode(KEYS))
    argv = [sys.executable, "-m", "haulier", "verify", str(path), "-r", str(beside), "-k", str(keys)]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, argv, os.environ), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return used.ru_maxrss // 1024


def test_a_larger_entry_takes_no_more_memory(tmp_path: Path) -> None:
    of_size(tmp_path / "small.zip", 1)
    of_size(tmp_path / "large.zip", 1_024 if LARGE else 64)
    assert peak_mib(tmp_path / "large.zip") < peak_mib(tmp_path / "small.zip") + 20


@pytest.mark.skipif(not LARGE, reason="writes 100,000 entries; set HAULIER_TEST_LARGE=1")
def test_a_hundred_thousand_entries_take_a_few_hundred_bytes_each(tmp_path: Path) -> None:
    of_entries(tmp_path / "many.zip", 100_000)
    assert peak_mib(tmp_path / "many.zip") < 250
