"""Which keys are allowed."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from haulier.artefacts import artefact_key
from haulier.errors import BadRecipe
from haulier.job import new_job_id
from haulier.storage.keys import check_key, check_prefix

texts = st.text(st.characters() | st.sampled_from("/.\\\0#%~ "), max_size=40)


@given(texts)
def test_an_allowed_key_stays_below_its_root_and_every_store_takes_it(key):
    try:
        check_key(key)
    except BadRecipe:
        return
    assert posixpath.normpath(f"/root/{key}") == f"/root/{key}"
    assert len(key.encode()) <= 1_024
    with pytest.raises(FileNotFoundError):
        MemoryStore().head(key)


@given(texts)
def test_every_artefact_has_an_allowed_key(file_name):
    key = artefact_key(new_job_id(), 1, file_name)

    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "a\0", "a\tb", "\ud800", "x" * 1_025],
)
def test_what_is_no_key_is_refused_with_a_reason(key):
    with pytest.raises(BadRecipe, match=r"an object's key (must|may)"):
        check_key(key)


@pytest.mark.parametrize("key", ["a", "downloads/70000.zip", "...", "..a/b..", "日本/é", "x" * 1_024])
def test_other_keys_are_taken_as_they_are(key):
    assert check_key(key) == key


def test_a_prefix_is_a_key_with_or_without_its_last_slash():
    assert check_prefix("a/b/") == check_prefix("a/b") == "a/b"
    assert check_prefix("") is None
    with pytest.raises(BadRecipe):
        check_prefix("a//")
