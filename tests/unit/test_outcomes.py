"""Which errors end a job, which let it be tried again, and how long it waits."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import AttemptError, HaulierError, SourceMissing, SourceUnavailable, StorageUnavailable, every_error
from haulier.work.backoff import backoff
from haulier.work.outcomes import Failed, Retried, outcome_of
from tests.builders import job


def test_a_permanent_error_fails_at_once():
    assert isinstance(outcome_of(SourceMissing(name="a.txt"), job=job(attempts_used=1)), Failed)


def test_a_transient_error_is_tried_again_while_attempts_remain():
    error = SourceUnavailable(name="a.txt", reason="timeout")
    assert isinstance(outcome_of(error, job=job(attempts_used=2, max_attempts=3)), Retried)


def test_the_last_attempt_fails_for_good():
    error = SourceUnavailable(name="a.txt", reason="timeout")
    assert isinstance(outcome_of(error, job=job(attempts_used=3, max_attempts=3)), Failed)


def test_an_absent_store_is_transient():
    assert isinstance(outcome_of(StorageUnavailable(), job=job(attempts_used=1)), Retried)


def test_a_defect_does_not_tell_the_user_its_text():
    outcome = outcome_of(KeyError("internal detail"), job=job(attempts_used=1))
    assert outcome.failure.code == AttemptError.code
    assert "internal detail" not in outcome.failure.message


@given(st.integers(1, 1_000), st.integers())
def test_backoff_doubles_from_five_seconds_within_its_jitter(attempts_used, seed):
    usual = min(5 * 2 ** min(attempts_used - 1, 16), 300)
    assert 0.8 * usual <= backoff(attempts_used, Random(seed)).total_seconds() <= 1.2 * usual


def test_every_error_has_its_own_code():
    codes = [error.code for error in every_error() if error is not HaulierError]
    allowed_twice = {"internal_error"}
    assert sorted(set(codes)) == sorted(code for code in codes if code not in allowed_twice)


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_every_error_has_a_sentence_that_ends(error):
    assert error.sentence.endswith((".", "}"))
