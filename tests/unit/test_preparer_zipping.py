"""The ZIP writer: what it writes, zipfile and unzip read."""

import io
import os
import random
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.preparers import zipping
from haulier.preparers.compressible import is_compressed
from haulier.preparers.zipping import ZipWriter

MODIFIED = datetime(2026, 3, 1, 12, 30, 42, tzinfo=UTC)
NOISE = random.Random(1).randbytes(300_000)


def member(
    writer: ZipWriter, name: str, content: bytes, *, stored: bool = False, modified: datetime | None = MODIFIED,
    known: bool = True, block: int = 100_000,
) -> bytes:  # fmt: skip
    parts = [writer.begin(name, modified=modified, size=len(content) if known else None, stored=stored)]
    parts += [writer.add(content[at : at + block]) for at in range(0, len(content), block)]
    return b"".join([*parts, writer.end()])


def archive(members: Iterable[tuple[str, bytes]], **options) -> bytes:
    writer = ZipWriter()
    return b"".join([*[member(writer, name, content, **options) for name, content in members], *writer.finish()])


def unzip_agrees(path: Path) -> bool:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed")
    return subprocess.run([unzip, "-tqq", path], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_read_back(tmp_path: Path, stored: bool, known: bool):
    members = {"empty": b"", "text/été.txt": b"words and words " * 20_000, "noise": NOISE}
    path = tmp_path / "archive.zip"
    path.write_bytes(archive(members.items(), stored=stored, known=known))
    with zipfile.ZipFile(path) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == members
    assert unzip_agrees(path)


@given(
    members=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), st.binary())
    ),
    stored=st.booleans(),
    known=st.booleans(),
)
def test_any_members_are_read_back(members: list[tuple[str, bytes]], stored: bool, known: bool):
    with zipfile.ZipFile(io.BytesIO(archive(members, stored=stored, known=known))) as opened:
        read = [(info.orig_filename, opened.read(info)) for info in opened.infolist()]
    assert read == members


def test_an_empty_archive_is_valid():
    assert zipfile.ZipFile(io.BytesIO(archive([]))).namelist() == []


def test_text_gets_smaller_and_stored_bytes_hardly_larger():
    assert len(archive([("a", b"words and words " * 20_000)])) < 20_000
    assert len(archive([("a", NOISE)], stored=True)) < len(NOISE) * 1.001 + 200


def test_the_output_depends_on_the_input_alone():
    assert archive([("a", NOISE), ("b", b"x" * 9_999)]) == archive([("a", NOISE), ("b", b"x" * 9_999)])


def test_modification_times_are_kept_to_the_second():
    made = archive([("a", b"x")], modified=MODIFIED.replace(second=43))
    info = zipfile.ZipFile(io.BytesIO(made)).infolist()[0]
    assert info.date_time == (2026, 3, 1, 12, 30, 42)
    assert struct.pack("<I", int(MODIFIED.replace(second=43).timestamp())) in info.extra


@pytest.mark.parametrize(
    ("modified", "shown"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        (datetime(1971, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(2200, 1, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_times_that_zip_cannot_hold_are_clamped(modified: datetime | None, shown: tuple[int, ...]):
    info = zipfile.ZipFile(io.BytesIO(archive([("a", b"x")], modified=modified))).infolist()[0]
    assert info.date_time == shown


def test_more_than_65535_members_make_a_zip64_directory(tmp_path: Path):
    path = tmp_path / "many.zip"
    path.write_bytes(archive(((f"{number:06}", b"x") for number in range(70_000)), stored=True))
    with zipfile.ZipFile(path) as opened:
        assert len(opened.namelist()) == 70_000
        assert opened.read("069999") == b"x"
    assert unzip_agrees(path)


def test_a_member_beyond_the_32_bit_limit_is_found_by_its_zip64_offset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zipping, "MAX_32", 1_000)  # so that 4 GiB need not be written
    entry = zipping._directory_entry(_ended_member(offset=2_000))
    extra = entry[46 + 1 :]
    assert struct.unpack("<HHQ", extra[:12]) == (1, 8, 2_000)


def _ended_member(*, offset: int) -> zipping.Member:
    return zipping.Member(
        name=b"a", offset=offset, zip64=False, dos_time=0, dos_date=0, timestamp=b"", deflater=zipping.StoredBlocks()
    )


@pytest.mark.skipif("HAULIER_TEST_LARGE" not in os.environ, reason="writes 9 GB; set HAULIER_TEST_LARGE=1")
def test_members_above_4_gib_are_read_by_unzip(tmp_path: Path):
    writer, block, path = ZipWriter(), random.Random(1).randbytes(2**20), tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(writer.begin("large", modified=MODIFIED, size=4_400 * 2**20, stored=True))
        for _ in range(4_400):
            file.write(writer.add(block))
        file.write(writer.end())
        file.write(member(writer, "after", b"x"))
        file.writelines(writer.finish())
    assert unzip_agrees(path)
    assert zipfile.ZipFile(path).read("after") == b"x"


@pytest.mark.parametrize(
    ("name", "first", "compressed"),
    [
        ("photo.JPG", b"x" * 1_000, True),
        ("photo", b"\xff\xd8\xff\xe0" + b"x" * 1_000, True),
        ("clip", b"\x00\x00\x00\x18ftypmp42" + b"x" * 1_000, True),
        ("noise", NOISE, True),
        ("table.csv", b"1,2,3\n" * 1_000, False),
        ("short", b"x", False),
        ("empty", b"", False),
    ],
)
def test_what_is_compressed_already_is_recognised(name: str, first: bytes, compressed: bool):
    assert is_compressed(name, first) is compressed
