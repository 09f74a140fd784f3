"""The ZIP format and its segments: what is written, zipfile, unzip and 7z read."""

import io
import os
import random
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.preparers import zipping
from haulier.preparers.compressible import is_compressed
from haulier.preparers.segments import FINAL, SEGMENT_BYTES, deflated, dialect, segments, stored
from haulier.preparers.zipping import Member, Sums, data_descriptor, directory, directory_entry, local_header

MODIFIED = datetime(2026, 3, 1, 12, 30, 42, tzinfo=UTC)
NOISE = random.Random(1).randbytes(300_000)


def archive(
    members: Iterable[tuple[str, bytes]], *, store: bool = False, known: bool = True,
    modified: datetime | None = MODIFIED, segment: int = 100_000,
) -> bytes:  # fmt: skip
    return b"".join(_pieces(members, store, known, modified, segment))


def _pieces(
    members: Iterable[tuple[str, bytes]], store: bool, known: bool, modified: datetime | None, segment: int
) -> Iterator[bytes]:
    pack, listed = stored if store else deflated, []
    for name, content in members:
        member = Member(name.encode(), modified, zip64=zipping.needs_zip64(len(content) if known else None))
        cuts = range(0, len(content), segment)
        body = b"".join([*(pack([content[at : at + segment]]) for at in cuts), FINAL])
        sums = Sums(zlib.crc32(content), len(content), len(body))
        listed.append((member, sums))
        yield local_header(member) + body + data_descriptor(member, sums)
    yield from directory(listed)


def agree(path: Path) -> bool:
    """Whether unzip and 7z, where they are installed, find no fault."""
    commands = [[tool, *rest] for name, *rest in (("unzip", "-tqq"), ("7z", "t")) if (tool := shutil.which(name))]
    if not commands:
        pytest.skip("neither unzip nor 7z is installed")
    return all(
        subprocess.run([*command, path], check=False, capture_output=True).returncode == 0 for command in commands
    )


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_read_back(tmp_path: Path, store: bool, known: bool):
    members = {"empty": b"", "text/été.txt": b"words and words " * 20_000, "noise": NOISE}
    path = tmp_path / "archive.zip"
    path.write_bytes(archive(members.items(), store=store, known=known))
    with zipfile.ZipFile(path) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == members
    assert agree(path)


@given(
    members=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), st.binary())
    ),
    store=st.booleans(),
    known=st.booleans(),
    segment=st.integers(1, 50),
)
def test_any_members_are_read_back(members: list[tuple[str, bytes]], store: bool, known: bool, segment: int):
    with zipfile.ZipFile(io.BytesIO(archive(members, store=store, known=known, segment=segment))) as opened:
        read = [(info.orig_filename, opened.read(info)) for info in opened.infolist()]
    assert read == members


def test_an_empty_archive_is_valid():
    assert zipfile.ZipFile(io.BytesIO(archive([]))).namelist() == []


def test_text_gets_smaller_and_stored_bytes_hardly_larger():
    assert len(archive([("a", b"words and words " * 20_000)])) < 20_000
    assert len(archive([("a", NOISE)], store=True)) < len(NOISE) * 1.001 + 200


@given(cuts=st.lists(st.integers(0, 300_000), max_size=5), pack=st.sampled_from([stored, deflated]))
def test_a_segments_bytes_do_not_depend_on_how_it_is_cut(cuts: list[int], pack):
    borders = [0, *sorted(cuts), len(NOISE)]
    pieces = [memoryview(NOISE)[a:b] for a, b in pairwise(borders)]
    assert pack(pieces) == pack([NOISE])
    assert zlib.decompress(pack(pieces) + FINAL, -15) == NOISE


@given(sizes=st.lists(st.integers(0, 3 * SEGMENT_BYTES), max_size=5))
async def test_segments_have_one_size_however_chunks_come(sizes: list[int]):
    async def chunks():
        for size in sizes:
            yield bytes(size)

    found = [sum(map(len, segment)) async for segment in segments(chunks())]
    assert sum(found) == sum(sizes)
    assert all(size == SEGMENT_BYTES for size in found[:-1])
    assert all(found)


def test_the_dialect_names_machine_and_version():
    assert dialect().split()[1] == "isal"


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
    path.write_bytes(archive(((f"{number:06}", b"x") for number in range(70_000)), store=True))
    with zipfile.ZipFile(path) as opened:
        assert len(opened.namelist()) == 70_000
        assert opened.read("069999") == b"x"
    assert agree(path)


def test_a_member_beyond_the_32_bit_limit_is_found_by_its_zip64_offset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zipping, "MAX_32", 1_000)  # so that 4 GiB need not be written
    entry = directory_entry(Member(b"a", None, zip64=False), Sums(0, 0, 0), offset=2_000)
    extra = entry[46 + 1 :]
    assert struct.unpack("<HHQ", extra[:12]) == (1, 8, 2_000)


@pytest.mark.skipif("HAULIER_TEST_LARGE" not in os.environ, reason="writes 9 GB; set HAULIER_TEST_LARGE=1")
def test_members_above_4_gib_are_read_by_unzip_and_7z(tmp_path: Path):
    block, count, path = random.Random(1).randbytes(SEGMENT_BYTES), 2_200, tmp_path / "large.zip"
    framed, crc = stored([block]), 0
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    large = Member(b"large", MODIFIED, zip64=zipping.needs_zip64(count * len(block)))
    sums = Sums(crc, count * len(block), count * len(framed) + len(FINAL))
    after, after_sums = Member(b"after", MODIFIED, zip64=False), Sums(zlib.crc32(b"x"), 1, len(stored([b"x"])) + 2)
    with path.open("wb") as file:
        file.write(local_header(large))
        file.writelines(framed for _ in range(count))
        file.write(FINAL + data_descriptor(large, sums))
        file.write(local_header(after) + stored([b"x"]) + FINAL + data_descriptor(after, after_sums))
        file.writelines(directory([(large, sums), (after, after_sums)]))
    assert agree(path)
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
