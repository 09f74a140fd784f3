"""Feeds keep the newest state of each job, and nothing of a connection is left once it is over."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from haulier.errors import TooManyStreams, Unavailable
from haulier.job import new_job_id
from haulier.live import Feeds
from haulier.live import feeds as module
from tests.builders import job


class Versions:
    """In place of Snapshots: says what becomes known."""

    def on_version(self, listener, *, wants_user, wants_job):
        self.known = listener
        self.wants_user = wants_user


@pytest.fixture
def versions():
    return Versions()


@pytest.fixture
def feeds(versions):
    return Feeds(versions, most=5, most_of_user=3)


def at(known, version):
    return msgspec.structs.replace(known, version=version)


async def test_a_feed_tells_the_newest_state_of_each_job_once(feeds, versions):
    first, second = job(), job()
    with feeds.open(user_id="anna") as feed:
        feed.follow_job(first.id)
        feed.follow_job(second.id)
        for version in (2, 3, 4):
            versions.known(at(first, version))
        versions.known(at(second, 9))
        assert {each.id: each.version for each in await feed.changes(timeout_s=0)} == {first.id: 4, second.id: 9}
        assert await feed.changes(timeout_s=0) == []


async def test_an_older_state_does_not_replace_a_newer_one(feeds, versions):
    known = job()
    with feeds.open(user_id="anna") as feed:
        feed.follow_job(known.id)
        versions.known(at(known, 5))
        versions.known(at(known, 4))
        assert [each.version for each in await feed.changes(timeout_s=0)] == [5]


async def test_a_reader_waits_for_a_change(feeds, versions):
    known = job()
    with feeds.open(user_id="anna") as feed:
        feed.follow_job(known.id)
        reading = asyncio.create_task(feed.changes(timeout_s=30))
        await asyncio.sleep(0)
        versions.known(at(known, 2))
        assert [each.version for each in await asyncio.wait_for(reading, 10)] == [2]


async def test_jobs_that_a_feed_does_not_follow_are_not_told(feeds, versions):
    known = job()
    with feeds.open(user_id="anna") as feed:
        feed.follow_job(known.id)
        feed.leave_job(known.id)
        versions.known(at(known, 2))
        versions.known(job())
        assert await feed.changes(timeout_s=0) == []


async def test_a_user_is_followed_with_jobs_that_nobody_knew(feeds, versions):
    with feeds.open(user_id="anna") as feed:
        feed.follow_user("anna")
        assert versions.wants_user("anna")
        assert not versions.wants_user("ben")
        versions.known(job(user_id="anna", id=UUID(int=1)))
        versions.known(job(user_id="ben", id=UUID(int=2)))
        assert [each.id for each in await feed.changes(timeout_s=0)] == [UUID(int=1)]
    assert not versions.wants_user("anna")


async def test_an_end_leaves_nothing_behind(feeds):
    with feeds.open(user_id="anna") as feed:
        feed.follow_job(new_job_id())
        feed.follow_user("anna")
        assert (len(feeds), len(feeds.by_job), len(feeds.by_user)) == (1, 1, 1)
    assert (len(feeds), feeds.by_job, feeds.by_user) == (0, {}, {})


async def test_a_user_has_a_limit_and_the_process_has_one(feeds):
    with feeds.open(user_id="anna"), feeds.open(user_id="anna"), feeds.open(user_id="anna"):
        with pytest.raises(TooManyStreams), feeds.open(user_id="anna"):
            pass
        with (
            feeds.open(user_id="anna", unlimited=True),
            feeds.open(user_id="ben"),
            pytest.raises(Unavailable),
            feeds.open(user_id="carl"),
        ):
            pass
    with feeds.open(user_id="anna"):
        assert len(feeds) == 1


async def test_a_stop_wakes_every_reader_and_lets_no_other_begin(feeds):
    with feeds.open(user_id="anna") as feed:
        reading = asyncio.create_task(feed.changes(timeout_s=30))
        await asyncio.sleep(0)
        feeds.stop()
        assert await asyncio.wait_for(reading, 10) == []
        assert feed.closed
    with pytest.raises(Unavailable), feeds.open(user_id="anna"):
        pass


async def test_what_a_reader_has_not_seen_is_bounded(feeds, versions, monkeypatch):
    monkeypatch.setattr(module, "UNSEEN_LIMIT", 10)
    with feeds.open(user_id="anna") as feed:
        feed.follow_user("anna")
        for number in range(20):
            versions.known(job(user_id="anna", id=UUID(int=number)))
        assert feed.overrun
        assert len(await feed.changes(timeout_s=0)) == 10
