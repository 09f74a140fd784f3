"""What a status answer is known by, and when its reader is to look again."""

from datetime import timedelta

import pytest

from haulier.api.estimating import Outlook
from haulier.api.rendering import Statuses
from haulier.api.views import LONGEST_RETRY_QUEUED_S, LONGEST_RETRY_S, RETRY_UNKNOWN_S, retry_after_s
from haulier.clock import SYSTEM_CLOCK
from haulier.estimates import Spread
from haulier.job import Status
from tests.builders import NOW, job

RUNNING = job(status=Status.PROCESSING)


class Estimator:
    """Of another process each: it has read the history at another moment."""

    def __init__(self, outlook):
        self._outlook = outlook

    async def outlook(self, _job):
        return self._outlook


async def etag(known, outlook):
    """The tag that a process with this outlook gives."""
    statuses = Statuses(
        storage=None, estimator=Estimator(outlook), clock=SYSTEM_CLOCK, base_url="https://haulier.example", url_ttl_s=60
    )
    return (await statuses.of(known)).etag


def outlook(seconds, *, position=None):
    return Outlook(
        position=position, completion=NOW + timedelta(seconds=seconds), spread=Spread(seconds, seconds, seconds, 9)
    )


async def test_processes_that_estimate_differently_give_one_job_one_tag():
    assert await etag(RUNNING, outlook(20)) == await etag(RUNNING, outlook(30))


async def test_another_place_in_the_queue_is_another_tag():
    waiting = job()
    assert await etag(waiting, outlook(20, position=2)) != await etag(waiting, outlook(20, position=1))


@pytest.mark.parametrize(
    ("status", "left_s", "retry_s"),
    [
        (Status.PROCESSING, 0.4, 1),
        (Status.PROCESSING, -30, 1),
        (Status.PROCESSING, 6, 6),
        (Status.PROCESSING, 300, 10),
        (Status.QUEUED, 4, 2),
        (Status.QUEUED, 40, 10),
        (Status.QUEUED, 400, 30),
    ],
)
def test_when_to_look_again_follows_the_expected_end(status, left_s, retry_s):
    assert retry_after_s(job(status=status), outlook=outlook(left_s), now=NOW) == retry_s


def test_of_a_job_that_waits_for_another_attempt_it_follows_that():
    waiting = job(retry_at=NOW + timedelta(seconds=40))
    assert retry_after_s(waiting, outlook=Outlook(), now=NOW) == 10


def test_where_nothing_is_known_it_is_a_short_while():
    assert retry_after_s(RUNNING, outlook=Outlook(), now=NOW) == 2
    assert (RETRY_UNKNOWN_S, LONGEST_RETRY_S, LONGEST_RETRY_QUEUED_S) == (2, 10, 30)  # as docs/api.md says
