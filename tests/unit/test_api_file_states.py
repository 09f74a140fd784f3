"""The states of an archive's files, whatever the ledger knows of them."""

from hypothesis import given
from hypothesis import strategies as st

from haulier.api.estimating import UNKNOWN
from haulier.api.views import status_view
from haulier.job import Failure, FileStates, Request, Status
from tests.builders import NOW, artefact, job

FILES = (70_000, 70_001, 70_002)
GONE = Failure("source_missing", "It is gone.")


def files(states, errors=None, **fields):
    archive = job(request=Request(file_ids=FILES), files=FileStates(states, errors or {}), **fields)
    return status_view(archive, outlook=UNKNOWN, base_url="http://test", now=NOW, with_files=True).files


def test_each_letter_is_a_state():
    assert [file.status for file in files("imp")] == ["included", "missing", "pending"]


def test_what_is_missing_says_why():
    _, missing, _ = files("imp", {1: GONE})
    assert (missing.error.code, missing.error.message) == ("source_missing", "It is gone.")


def test_nothing_known_is_pending_until_the_job_is_completed():
    assert {file.status for file in files("")} == {"pending"}
    assert {file.status for file in files("", status=Status.COMPLETED, artefact=artefact())} == {"included"}


@given(st.text(), st.dictionaries(st.integers(-5, 2_000), st.just(GONE)))
def test_whatever_is_recorded_each_file_has_one_state(states, errors):
    assert [file.file_id for file in files(states, errors)] == list(FILES)
    assert {file.status for file in files(states, errors)} <= {"pending", "included", "missing"}
