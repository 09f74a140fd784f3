"""A database of the version before becomes one of this version while processes of the version before go on."""

from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from haulier.ledger import migrate, migrations
from haulier.settings import Secret

# What workers of before 0009 ask, and as much of the function of then as matters.
CLAIM = "select * from claim_deliveries(1, interval '75 s', array['webhook'], 4, 8)"
FORMER_CLAIM = """
create function claim_deliveries(
    p_most integer, p_lease interval, p_kinds text[], p_of_channel integer, p_of_user integer
) returns table (delivery deliveries, channel channels, job jobs) language sql as $$
    with claimed as (
        update deliveries set status = 'sending', due_at = null, lease_until = now() + p_lease, attempts = attempts + 1
        where id = (select id from deliveries where status = 'pending' limit 1)
        returning deliveries as delivery
    )
    select claimed.delivery, channels, null::jobs
    from claimed join channels on channels.id = (claimed.delivery).channel_id
$$
"""
ADD = """
insert into channels (
    id, user_id, kind, target, sealed, events, confirmed, disabled_at, disabled_reason, created_at, updated_at
) values ($1, 'anna', $2, 't', 's', '{job.completed}', $3, $4, $5, now(), now())
"""
QUEUE = "insert into deliveries (id, channel_id, event, at, due_at) select gen_random_uuid(), $1, 'test', now(), now()"


@pytest.fixture
async def former(postgres_url, monkeypatch):
    """The URL of a database as it was before 0009."""
    name = f"former_{uuid4().hex[:12]}"
    administrator = await asyncpg.connect(postgres_url)
    await administrator.execute(f"create database {name}")
    url = Secret(f"{postgres_url.rpartition('/')[0]}/{name}")
    before = [(each, text) for each, text in migrations.scripts() if each < "migrations/0009" and "migrations" in each]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "scripts", lambda: iter(before))
        await migrate(url)
    yield url
    await administrator.execute(f"drop database {name} with (force)")
    await administrator.close()


@pytest.fixture
async def worker(former):
    """A connection of a worker of then."""
    connection = await asyncpg.connect(former.reveal())
    await connection.execute(FORMER_CLAIM)
    yield connection
    await connection.close()


async def test_a_worker_of_the_version_before_loses_nothing_that_it_claims(former, worker):
    channel_id = uuid4()
    await worker.execute(ADD, channel_id, "webhook", True, None, None)
    for _ in range(3):
        await worker.execute(QUEUE, channel_id)
    claimed = [*await worker.fetch(CLAIM)]
    await migrate(former)
    for _ in range(2):
        claimed += await worker.fetch(CLAIM)
    assert len(claimed) == await worker.fetchval("select count(*) from deliveries where status = 'sending'") == 3
    assert {row["channel"]["target"] for row in claimed} == {"t"}


async def test_nothing_is_claimed_between_the_migration_and_its_function(former, worker, monkeypatch):
    channel_id = uuid4()
    await worker.execute(ADD, channel_id, "webhook", True, None, None)
    await worker.execute(QUEUE, channel_id)
    await worker.execute(QUEUE, channel_id)
    assert len(await worker.fetch(CLAIM)) == 1
    half = [(each, text) for each, text in migrations.scripts() if "migrations" in each]
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "scripts", lambda: iter(half))
        await migrate(former)
    assert await worker.fetch(CLAIM) == []
    assert await worker.fetchval("select count(*) from deliveries where status = 'pending'") == 1


async def test_what_was_over_before_is_claimed_by_its_kind_when_it_is_delivered_again(former, worker):
    channel_id = uuid4()
    await worker.execute(ADD, channel_id, "webhook", True, None, None)
    await worker.execute(QUEUE, channel_id)
    await worker.execute("update deliveries set status = 'failed', due_at = null, ended_at = now()")
    await migrate(former)
    assert await worker.fetch(CLAIM) == []
    await worker.execute("update deliveries set status = 'pending', due_at = now(), ended_at = null")
    assert len(await worker.fetch(CLAIM)) == 1


async def test_what_receivers_switched_off_before_stays_so_and_counts_as_confirmed(former, worker):
    stopped, gone, unconfirmed = uuid4(), uuid4(), uuid4()
    since = datetime(2026, 11, 20, tzinfo=UTC)
    await worker.execute(ADD, stopped, "email", False, since, "switched off by the link in an e-mail")
    await worker.execute(ADD, gone, "webhook", True, since, "it answered 410")
    await worker.execute(ADD, unconfirmed, "email", False, None, None)
    await migrate(former)
    rows = await worker.fetch("select id, stopped_at, confirmed from channels")
    assert {(row["id"], row["stopped_at"], row["confirmed"]) for row in rows} == {
        (stopped, since, True),
        (gone, None, True),
        (unconfirmed, None, False),
    }
