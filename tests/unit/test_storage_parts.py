"""What holds for the parts of an upload on every store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import UploadLost
from haulier.storage import Part
from haulier.storage.growing import handle_in, new_handle
from haulier.storage.parts import check_part, whole


@given(st.integers(1, 40), st.integers(0, 10), st.randoms())
def test_parts_in_any_order_are_whole_when_all_are_there(count, last, random):
    parts = [Part(number, 10, "") for number in range(1, count)] + [Part(count, last, "")]
    shuffled = random.sample(parts, count)

    assert whole(shuffled, part_bytes=10) == (parts, 10 * (count - 1) + last)
    if count > 1:
        missing = random.choice(parts[:-1])
        with pytest.raises(UploadLost):
            whole([part for part in shuffled if part is not missing], part_bytes=10)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [Part(2, 10, "")],
        [Part(0, 10, ""), Part(1, 10, "")],
        [Part(1, 9, ""), Part(2, 10, "")],
        [Part(1, 1, "")] * 2,
    ],
)
def test_parts_that_are_no_whole_are_lost(parts):
    with pytest.raises(UploadLost):
        whole(parts, part_bytes=10)


def test_a_part_spoils_no_neighbour():
    check_part(1, b"", part_bytes=3)
    check_part(1, b"abc", part_bytes=3)
    for number, content in ((0, b""), (-1, b"a"), (1, b"abcd")):
        with pytest.raises(ValueError, match="a part has"):
            check_part(number, content, part_bytes=3)


def test_a_growing_file_is_told_from_what_obstore_leaves():
    handle = new_handle()

    assert handle_in(f"a#1 file.zip#{handle}") == handle
    for name in ("file.zip", "file.zip#1", f"file.zip{handle}", handle, f"file.zip#{handle}0", "file#½"):
        assert handle_in(name) is None


def test_handles_are_of_one_length_and_differ():
    handles = {new_handle() for _ in range(100)}

    assert len(handles) == 100
    assert {len(handle) for handle in handles} == {19}
