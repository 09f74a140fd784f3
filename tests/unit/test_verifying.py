"""Checking files: the whole, and archives entry by entry, whatever is in them."""

import io
import os
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haulier.errors import NotVerifiable
from haulier.receipts import open_receipt
from haulier.verifying import ArchiveVerdict, Verdict, verify
from haulier.verifying.archive import MAX_DIRECTORY_BYTES
from haulier.verifying.manifest import BadManifest, read_manifest
from tests.receipts import FILES, KEYS, MANIFEST, archive, manifest, receipt, signed

WHOLE = archive()


@pytest.fixture
def look(tmp_path):
    """`look(content)`: the verdict about a file with this content, against the receipt of `of` (default: it)."""

    def look(content: bytes, *, of: bytes | None = None, trusted=KEYS, **options) -> Verdict:
        path = tmp_path / "file.zip"
        path.write_bytes(content)
        return verify(path, open_receipt(signed(content if of is None else of)), trusted=trusted, **options)

    return look


def entries(found: Verdict) -> dict[str, str]:
    """Name -> state of what is listed."""
    assert found.archive is not None
    return {entry.name: entry.state for entry in found.archive.listed}


def measured(work):
    """What `work` answers, and the most bytes that it held."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def inside(name: str, content: bytes = WHOLE) -> int:
    """A place within the bytes of a member."""
    info = zipfile.ZipFile(io.BytesIO(content)).getinfo(name)
    return info.header_offset + 30 + len(name.encode()) + info.compress_size // 2


def test_the_file_of_the_receipt_is_right(look):
    found = look(WHOLE)
    assert found.ok
    assert found.archive == ArchiveVerdict(entries=3, good=3)


def test_a_file_that_is_no_archive_has_no_entries(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"1,2,3\n")
    artefact = msgspec.structs.replace(receipt(b"1,2,3\n").artefact, content_type="text/csv")
    found = verify(path, open_receipt(signed(b"1,2,3\n", artefact=artefact)), trusted=KEYS)
    assert found.ok
    assert found.archive is None


def test_another_file_is_not(look):
    found = look(b"other", of=WHOLE)
    assert not found.ok
    assert not found.size.agrees
    assert not found.sha256.agrees
    assert found.size.found == 5


def test_a_file_that_goes_on_behind_its_end_is_not(look):
    found = look(WHOLE + b"x", of=WHOLE)
    assert not found.ok
    assert found.archive.passes


def test_without_a_trusted_key_a_right_file_is_not_verified(look):
    found = look(WHOLE, trusted=None)
    assert found.is_same_file
    assert not found.ok
    assert look(WHOLE, trusted=None, signature=False).ok


def test_a_receipt_without_a_digest_verifies_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    artefact = msgspec.structs.replace(receipt().artefact, sha256=None, content_type="text/plain")
    assert not verify(path, open_receipt(signed(artefact=artefact)), trusted=KEYS).ok


def test_damage_is_found_where_it_is_and_the_rest_is_good(look):
    found = look(changed(WHOLE, inside("a/report.csv")), of=WHOLE)
    assert entries(found) == {"a/report.csv": "damaged"}
    assert (found.archive.good, found.archive.damaged, found.ok) == (2, 1, False)


def test_a_damaged_header_is_damage_of_its_entry(look):
    at = zipfile.ZipFile(io.BytesIO(WHOLE)).getinfo("empty").header_offset
    assert entries(look(changed(WHOLE, at), of=WHOLE)) == {"empty": "damaged"}


def test_every_entry_is_listed_when_asked(look):
    assert entries(look(WHOLE, everything=True)) == dict.fromkeys(FILES, "good")


@pytest.mark.parametrize("keep", [0, 3, 100, len(WHOLE) // 2, len(WHOLE) - 10])
def test_a_truncated_archive_says_that_its_directory_is_missing(look, keep):
    found = look(WHOLE[:keep], of=WHOLE)
    assert not found.ok
    assert "directory" in found.archive.problem


def test_a_directory_that_points_before_the_file_is_damage(look):
    moved = bytearray(WHOLE)
    at = WHOLE.rindex(b"PK\x05\x06") + 16
    struct.pack_into("<I", moved, at, struct.unpack_from("<I", WHOLE, at)[0] + 100)
    assert not look(bytes(moved), of=WHOLE).ok


def test_an_entry_that_the_manifest_lacks_is_extra_and_one_that_is_gone_is_missing(look):
    files = {"there": b"1", "extra": b"2"}
    content = archive(files, listed=manifest({"there": b"1", "gone": b"3"}))
    found = look(content)
    assert entries(found) == {"extra": "extra", "gone": "missing"}
    assert not found.ok


def test_an_entry_with_another_digest_is_damaged_though_its_crc_is_right(look):
    assert entries(look(archive({"a": b"new"}, listed=manifest({"a": b"old"})))) == {"a": "damaged"}


def test_an_entry_with_another_size_is_not_even_read(look):
    found = look(archive({"a": bytes(10_000_000)}, listed=manifest({"a": b"small"})))
    assert found.archive.listed[0].reason == "it has 10000000 bytes, the manifest says 5"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_reported(look):
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        made.writestr("a", b"1")
        made.writestr("a", b"2")
        made.writestr(MANIFEST, msgspec.json.encode(manifest({"a": b"1"})))
    found = look(into.getvalue())
    assert (found.archive.good, found.archive.extra) == (1, 1)
    assert "twice" in found.archive.listed[0].reason


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_manifests_the_last_counts_and_the_other_is_extra(look):
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        made.writestr(MANIFEST, msgspec.json.encode(manifest({})))
        made.writestr("a", b"1")
        made.writestr(MANIFEST, msgspec.json.encode(manifest({"a": b"1"})))
    found = look(into.getvalue())
    assert (found.archive.good, entries(found)) == (1, {MANIFEST: "extra"})


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/etc/passwd", "C:/x", "a\\b", "a/..", "bell\x07"])
def test_a_name_that_leads_elsewhere_is_unsafe(look, name):
    assert entries(look(archive({name: b"1"}))) == {name: "unsafe"}


def test_a_name_cut_by_a_null_byte_is_not_the_one_of_the_manifest(look):
    content = archive({"aXevil": b"1"}, listed=manifest({"a": b"1"})).replace(b"aXevil", b"a\x00evil")
    assert entries(look(content)) == {"a\x00evil": "extra", "a": "missing"}


def test_a_bomb_is_read_up_to_the_size_of_the_manifest(look):
    bomb = archive({"a": bytes(50_000_000)}, listed=manifest({"a": bytes(1_000)}))
    lying = bomb.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1_000))
    found, peak = measured(lambda: look(lying))
    assert entries(found) == {"a": "damaged"}
    assert peak < 10_000_000


def test_entries_that_share_their_bytes_are_refused(look):
    content = archive({"a": os.urandom(10_000), "b": b""})
    directory = content.rindex(b"PK\x01\x02", 0, content.rindex(MANIFEST.encode()) - 46)
    shared = bytearray(content)
    struct.pack_into("<II", shared, directory + 20, 10_000, 10_000)
    assert "larger than the file" in look(bytes(shared)).archive.problem


def test_an_entry_that_is_encrypted_or_compressed_in_another_way_is_damaged(look):
    content = archive({"a": b"1"})
    directory = content.index(b"PK\x01\x02")
    encrypted, bzip2 = bytearray(content), bytearray(content)
    encrypted[directory + 8] |= 1
    bzip2[directory + 10] = zipfile.ZIP_BZIP2
    for each in (encrypted, bzip2):
        assert entries(look(bytes(each))) == {"a": "damaged"}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "is no manifest"),
        (b"\xff", "is no manifest"),
        (b"[" * 100_000, "is no manifest"),
        (b'{"haulier_manifest": 2, "entries": []}', "another version"),
        (b'{"haulier_manifest": 1, "entries": [{"name": "a", "size": -1, "sha256": ""}]}', "is no manifest"),
        (msgspec.json.encode(manifest({"a": b""}) | {"entries": manifest({"a": b""})["entries"] * 2}), "twice"),
    ],
)
def test_what_is_no_manifest_is_refused(raw, problem):
    with pytest.raises(BadManifest, match=problem):
        read_manifest(raw)


def test_what_was_left_out_is_told_and_no_fault(look):
    gone = {"source": "gone.csv", "file_id": 70_001, "code": "source_missing", "reason": "It is not there."}
    found = look(archive(FILES, listed=manifest(FILES, missing=[gone])))
    assert found.ok
    assert found.archive.left_out[0].source == "gone.csv"


def test_an_archive_without_a_manifest_is_checked_as_a_whole(look):
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        made.writestr("a", b"1")
    found = look(into.getvalue())
    assert found.ok
    assert MANIFEST in found.archive.problem


def test_without_a_manifest_damage_is_found_by_crc(look):
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        made.writestr("a", b"first")
        made.writestr("b", b"second")
    content = into.getvalue()
    found = look(content.replace(b"first", b"fjrst"), of=content)
    assert entries(found) == {"a": "damaged"}
    assert (found.archive.good, found.archive.entries) == (1, 2)
    assert MANIFEST in found.archive.problem


def test_a_damaged_manifest_leaves_the_crc(look):
    found = look(changed(WHOLE, inside(MANIFEST)), of=WHOLE)
    assert entries(found) == {MANIFEST: "damaged"}
    assert (found.archive.good, found.archive.problem) == (3, f"its {MANIFEST} is damaged")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "none"):
        with pytest.raises(NotVerifiable):
            verify(path, open_receipt(signed()), trusted=KEYS)


def test_a_directory_beyond_all_measure_is_not_read(tmp_path):
    path = tmp_path / "sparse.zip"
    size = MAX_DIRECTORY_BYTES + 1
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0))
    found, peak = measured(lambda: verify(path, open_receipt(signed()), trusted=KEYS))
    assert "directory" in found.archive.problem
    assert peak < 10_000_000


@given(edits=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=6)), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_is_taken_for_the_file_or_ends_in_a_defect(look, edits):
    content = bytearray(WHOLE)
    for at, piece in edits:
        content[at : at + len(piece)] = piece
    found = look(bytes(content), of=WHOLE)
    assert found.ok == (content == WHOLE)


@given(raw=st.binary(max_size=300))
def test_garbage_is_no_manifest(raw):
    with pytest.raises(BadManifest):
        read_manifest(raw)


@given(
    fields=st.dictionaries(
        st.sampled_from(["haulier_manifest", "entries", "missing", "more"]),
        st.none() | st.integers() | st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=2),
    )
)
def test_a_strange_manifest_is_read_or_refused(fields):
    with suppress(BadManifest):
        assert read_manifest(msgspec.json.encode(manifest(FILES) | fields)).entries.keys() <= FILES.keys()
