"""The job's table of transitions, its progress and its ids."""

import re
from datetime import UTC, datetime, timedelta
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st

from haulier.job import TERMINAL, TRANSITIONS, Progress, Status, may_become, new_job_id
from tests.builders import artefact, job

NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)


def test_the_ledger_lists_the_same_transitions():
    script = resources.files("haulier.ledger").joinpath("migrations/0001_ledger.sql").read_text()
    table = script.split("insert into job_transitions values")[1].split(";")[0]
    listed = {(Status(before), Status(after)) for before, after in re.findall(r"\('(\w+)', '(\w+)'\)", table)}
    assert listed == TRANSITIONS


def test_nothing_leaves_a_terminal_status():
    assert not [after for before in TERMINAL for after in Status if may_become(before, after)]


def test_every_status_but_queued_can_be_reached():
    assert {after for _, after in TRANSITIONS} == set(Status)


def test_a_queued_job_does_not_complete_without_an_attempt():
    assert not may_become(Status.QUEUED, Status.COMPLETED)


@given(st.lists(st.tuples(st.integers(-5, 10**12), st.none() | st.integers(0, 10**12))))
def test_percent_never_goes_back_and_never_says_done(reports):
    progress = Progress()
    for done, total in reports:
        after = progress.advanced(stage="", done=done, total=total)
        assert progress.percent <= after.percent <= 99
        progress = after


def test_a_report_without_a_stage_keeps_the_stage():
    assert Progress("archiving").advanced(stage="", done=1, total=2).stage == "archiving"


def test_job_ids_are_version_7_and_sort_by_time():
    ids = [new_job_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert {id_.version for id_ in ids} == {7}


def test_an_artefact_is_available_until_it_expires():
    completed = job(status=Status.COMPLETED, artefact=artefact(), artefact_expires_at=NOW)
    assert completed.is_available(now=NOW - timedelta(seconds=1))
    assert not completed.is_available(now=NOW)


def test_a_failed_job_has_nothing_available():
    assert not job(status=Status.FAILED).is_available(now=NOW)
