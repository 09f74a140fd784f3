"""Where artefacts are stored, and whose an object is."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from haulier.artefacts import artefact_key, is_ours, owner_of

JOB = uuid4()


@given(st.text(), st.integers(1, 10_000))
def test_a_key_tells_its_owner_whatever_the_file_name(file_name, attempt):
    assert owner_of(artefact_key(JOB, attempt, file_name)) == (JOB, attempt)


@given(st.text())
def test_a_key_is_one_safe_segment_below_its_attempt(file_name):
    segment = artefact_key(JOB, 1, file_name).split("/")[3:]
    assert len(segment) == 1
    assert segment[0] not in ("", ".", "..")
    assert len(segment[0].encode()) <= 255


@given(st.text())
def test_any_other_key_has_no_owner(key):
    assert owner_of(key) is None


def test_sources_are_not_ours():
    assert not is_ours("downloads/70000.zip")
