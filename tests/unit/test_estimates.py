"""Estimates from measured history, and honesty without one."""

from datetime import UTC, datetime, timedelta

import pytest

from haulier.estimates import Depth, Spread, completion, history, size_class, waiting_for
from haulier.job import Progress, Status
from tests.builders import job

NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
KNOWN = history([("archive", None, Spread(20, 10, 40, 50)), ("archive", 6, Spread(8, 6, 12, 5))], slots=4)


def queued(**fields):
    return job(preparer="archive", status=Status.QUEUED, **fields)


def processing(seconds_ago, **fields):
    started = NOW - timedelta(seconds=seconds_ago)
    return job(preparer="archive", status=Status.PROCESSING, attempt=1, started_at=started, **fields)


def test_without_a_history_nothing_is_promised():
    assert completion(queued(), known=history([], slots=4), position=1, now=NOW) is None


def test_without_a_worker_nothing_is_promised():
    unmanned = history([("archive", None, Spread(20, 10, 40, 50))], slots=0)
    assert completion(queued(), known=unmanned, position=1, now=NOW) is None


def test_a_job_that_starts_at_once_takes_its_usual_time():
    assert completion(queued(), known=KNOWN, position=4, now=NOW) == NOW + timedelta(seconds=20)


def test_a_job_further_back_waits_for_full_rounds():
    assert completion(queued(), known=KNOWN, position=9, now=NOW) == NOW + timedelta(seconds=60)


def test_a_job_that_backs_off_starts_when_it_is_due():
    later = queued(retry_at=NOW + timedelta(seconds=5))
    assert completion(later, known=KNOWN, position=1, now=NOW) == NOW + timedelta(seconds=25)


def test_a_job_under_way_is_measured_by_its_own_rate():
    half = processing(10, progress=Progress("x", 50, 100, 50))
    assert completion(half, known=KNOWN, position=None, now=NOW) == NOW + timedelta(seconds=10)


def test_a_job_that_has_just_started_is_measured_by_its_size():
    started = processing(2, progress=Progress("x", 10_000, 5_000_000, 0))
    assert completion(started, known=KNOWN, position=None, now=NOW) == NOW + timedelta(seconds=6)


def test_a_job_past_its_usual_time_is_expected_now():
    assert completion(processing(300), known=KNOWN, position=None, now=NOW) == NOW


def test_too_few_samples_of_a_size_fall_back_to_all_sizes():
    rare = history([("archive", None, Spread(20, 10, 40, 50)), ("archive", 6, Spread(8, 6, 12, 2))], slots=4)
    assert rare.spread("archive", size_bytes=2_000_000) == Spread(20, 10, 40, 50)


def test_a_finished_job_has_no_estimate():
    assert completion(job(status=Status.FAILED), known=KNOWN, position=None, now=NOW) is None


def test_size_classes_are_decimal_orders_of_magnitude():
    assert [size_class(size) for size in (0, 9, 10, 999_999, 1_000_000)] == [0, 0, 1, 5, 6]


@pytest.mark.parametrize(
    ("fields", "at_cap", "manned", "reason"),
    [
        ({}, False, True, "slots"),
        ({}, True, True, "running_cap"),
        ({"handed": True}, True, True, "slots"),
        ({}, True, False, "dependency"),
        ({"retry_at": NOW + timedelta(seconds=5)}, True, False, "retry_time"),
        ({"retry_at": NOW}, False, True, "slots"),
        ({"status": Status.PROCESSING}, True, False, None),
        ({"status": Status.CANCELLED}, False, True, None),
    ],
)
def test_a_queued_job_says_what_it_waits_for(fields, at_cap, manned, reason):
    assert waiting_for(job(**fields), at_cap=at_cap, manned=manned, now=NOW) == reason


def test_a_shape_without_jobs_has_nobody_ahead():
    assert Depth().ahead_of(5.0) == 0


@pytest.mark.parametrize(("tag", "ahead"), [(0.0, 0), (1.0, 0), (1.5, 0), (2.0, 0), (2.5, 100), (9.0, 200)])
def test_a_shape_tells_about_how_many_are_ahead(tag, ahead):
    assert Depth(tags=(1.0, 2.0, 3.0), before=(0, 100, 200)).ahead_of(tag) == ahead
