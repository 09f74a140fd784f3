"""Names in archives: safe wherever they are extracted, and unique."""

import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.preparers.names import UniqueNames, safe_file_name, safe_path

NASTY = st.text(alphabet=st.sampled_from("ab./\\: \x00\n\u202ecCoOnN\ud800é漢")) | st.text()


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("photos/été 漢字.jpg", "photos/été 漢字.jpg"),
        ("/etc/passwd", "etc/passwd"),
        ("../../root/.ssh/id", "root/.ssh/id"),
        ("a/./b//c", "a/b/c"),
        ("a/.. /b", "a/b"),
        ("..\\..\\windows\\system.ini", "windows/system.ini"),
        ("C:\\temp\\x", "C_/temp/x"),
        ("a\x00b\n.txt", "a_b_.txt"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("con.txt", "_con.txt"),
        ("dir/NUL", "dir/_NUL"),
        ("console.txt", "console.txt"),
        ("report. ", "report"),
        ("", "file"),
        ("../..", "file"),
        ("\ud800", "_"),
    ],
)
def test_an_unsafe_name_becomes_a_safe_one(path: str, safe: str):
    assert safe_path(path) == safe


def test_a_long_name_is_cut_before_its_extension():
    name = safe_path("é" * 300 + ".jpeg")
    assert len(name.encode()) <= 240
    assert name.endswith("é.jpeg")


def test_a_file_name_is_the_last_segment():
    assert safe_file_name("a/b/../c.txt") == "c.txt"


@given(NASTY)
def test_a_safe_path_stays_inside_its_folder_on_every_system(path: str):
    safe = safe_path(path)
    assert safe.encode()
    assert not PurePosixPath(safe).is_absolute()
    assert not PureWindowsPath(safe).is_absolute()
    assert not PureWindowsPath(safe).drive
    assert not PureWindowsPath(safe).is_reserved()
    assert ".." not in PureWindowsPath(safe).parts
    assert all(segment.strip(". ") for segment in safe.split("/"))
    assert not re.search(r"[\x00-\x1f\\]", safe)
    assert safe_path(safe) == safe


@given(st.lists(NASTY, max_size=30))
def test_claimed_paths_are_unique_and_no_file_is_another_ones_folder(paths: list[str]):
    names = UniqueNames()
    claimed = [names.claim(path).casefold() for path in paths]
    folders = {str(parent) for path in claimed for parent in PurePosixPath(path).parents}
    assert len(set(claimed)) == len(claimed)
    assert not folders & set(claimed)


def test_a_taken_name_gets_a_number_before_its_extension():
    names = UniqueNames()
    assert [names.claim("a/x.txt") for _ in range(3)] == ["a/x.txt", "a/x (2).txt", "a/x (3).txt"]


def test_names_that_differ_in_case_or_unicode_form_only_are_the_same():
    names = UniqueNames()
    assert [names.claim(name) for name in ("README", "readme", "\u00e9", "e\u0301")] == [
        "README",
        "readme (2)",
        "\u00e9",
        "e\u0301 (2)",
    ]


def test_a_folder_named_like_a_file_is_renamed_for_all_its_files():
    names = UniqueNames()
    assert [names.claim(path) for path in ("a", "a/b", "a/c")] == ["a", "a (2)/b", "a (2)/c"]


def test_a_file_named_like_a_folder_is_renamed():
    names = UniqueNames()
    assert [names.claim(path) for path in ("a.d/b", "a.d")] == ["a.d/b", "a (2).d"]
