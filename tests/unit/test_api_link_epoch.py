"""When a status answer gets a new ETag because its download URL is about to end."""

from datetime import UTC, datetime, timedelta

from haulier.api.rendering import link_epoch
from haulier.storage import Link

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
TTL_S = 3_600


def epoch(*, now: datetime, ends: datetime) -> str:
    return link_epoch(Link("https://x", ends), expires_s=TTL_S, ttl_s=TTL_S, now=now)


def full(now: datetime) -> str:
    return epoch(now=now, ends=now + timedelta(seconds=TTL_S))


def test_a_link_keeps_its_epoch_for_half_of_its_life_at_most():
    assert full(NOW) == full(NOW + timedelta(minutes=29))
    assert full(NOW) != full(NOW + timedelta(minutes=30))


def test_links_that_end_with_the_same_credentials_are_as_good_as_each_other():
    end = NOW + timedelta(minutes=20)
    assert epoch(now=NOW, ends=end) == epoch(now=NOW + timedelta(minutes=19), ends=end)


def test_a_link_of_renewed_credentials_is_worth_a_new_answer():
    old, later = NOW + timedelta(minutes=20), NOW + timedelta(minutes=10)
    assert epoch(now=NOW, ends=old) != full(later)
    assert epoch(now=NOW, ends=old) != epoch(now=later, ends=later + timedelta(minutes=20))


def test_whole_seconds_are_no_earlier_end():
    assert epoch(now=NOW, ends=NOW + timedelta(seconds=TTL_S - 1)) == full(NOW)
