"""query refused, stopped, cut off or cancelled: our words for it, and nothing left on the server."""

import asyncio
import uuid
from contextlib import aclosing

import pytest

from haulier.embedded.ports import free_port
from haulier.errors import BadRecipe, HaulierError, QueryFailed, QueryTimedOut, SourceDenied, SourceUnavailable
from haulier.settings import Secret
from tests.integration.query_steps import build_of, opened, query

# ---- what may not be


WRITING = "create function write() returns int language sql volatile as 'insert into t values (1) returning a'"


@pytest.mark.parametrize(
    ("sql", "error", "sentence"),
    [
        ("select write()", BadRecipe, "it writes"),
        ("delete from t returning a", BadRecipe, "cannot run"),
        ("with x as (delete from t returning a) select * from x", QueryFailed, "SQLSTATE 0A000"),
        ("select 1; delete from t", BadRecipe, "cannot run"),
        ("select from t", BadRecipe, "no columns"),
        ("selec 1", BadRecipe, "SQLSTATE 42601"),
        ("select * from nowhere", BadRecipe, "SQLSTATE 42P01"),
        ("select nothing from t", BadRecipe, "SQLSTATE 42703"),
        ("select 1 / (a - a) from t", QueryFailed, "SQLSTATE 22012"),
        ("select 'seven'::text::int", QueryFailed, "SQLSTATE 22P02"),
    ],
)
async def test_a_query_that_cannot_run_fails_for_good_without_its_sql(
    database_url: Secret, connection, sql: str, error: type[HaulierError], sentence: str
):
    await connection.execute(f"create table t (a int); insert into t values (1); {WRITING}")
    with pytest.raises(error, match=sentence) as caught:
        await query(database_url, sql)
    assert caught.value.permanent
    assert not {"nowhere", "nothing", "seven", "postgresql"} & set(caught.value.detail.split())
    assert await connection.fetchval("select count(*) from t") == 1


async def test_the_read_only_transaction_cannot_be_left(database_url: Secret, connection):
    await connection.execute(f"create table t (a int); {WRITING}")
    with pytest.raises(HaulierError):
        await query(database_url, "select set_config('transaction_read_only', 'off', true), write()")
    assert await connection.fetchval("select count(*) from t") == 0


async def test_a_role_without_rights_is_denied(database_url: Secret, connection):
    role = f"reader_{uuid.uuid4().hex[:8]}"
    await connection.execute(f"create table t (a int); create role {role} login password 'reads-only'")
    host = database_url.reveal().rpartition("@")[2]
    with pytest.raises(SourceDenied):
        await query(Secret(f"postgresql://{role}:reads-only@{host}"), "select * from t")
    await connection.execute(f"drop role {role}")


async def test_a_query_that_takes_too_long_is_stopped_for_good(database_url: Secret):
    with pytest.raises(QueryTimedOut, match=r"limit 0\.1 s") as caught:
        await query(database_url, "select pg_sleep(60)", statement_timeout_s=0.1)
    assert caught.value.permanent


@pytest.mark.parametrize("value", ["date 'infinity'", "timestamptz '-infinity'", "array[[1], [2]]"])
async def test_a_value_that_parquet_does_not_know_fails_the_query(database_url: Secret, value: str):
    with pytest.raises(QueryFailed):
        await query(database_url, f"select {value} as a", format="parquet")


# ---- going away


async def test_a_database_that_is_away_is_tried_again():
    with pytest.raises(SourceUnavailable, match="no connection") as caught:
        await query(Secret(f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x"), "select 1")
    assert not caught.value.permanent
    assert "hunter2" not in caught.value.detail


async def test_a_connection_that_ends_is_tried_again(database_url: Secret, connection):
    stream = await opened(build_of(database_url, "select i from generate_series(1, 100000) i"))
    async with aclosing(stream):
        await anext(stream)
        assert await connection.fetchval(
            "select bool_and(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name = 'haulier query' and datname = current_database()"
        )
        with pytest.raises(SourceUnavailable):
            async for _ in stream:
                pass


async def sessions(connection) -> int:
    return await connection.fetchval(
        "select count(*) from pg_stat_activity"
        " where application_name = 'haulier query' and datname = current_database()"
    )


async def gone(connection) -> None:
    """Return when the server has ended the query's session."""
    while await sessions(connection):
        await connection.execute("select pg_sleep(0.01)")


async def test_closing_a_stream_ends_cursor_and_connection(database_url: Secret, connection):
    stream = await opened(build_of(database_url, "select i from generate_series(1, 100000) i"))
    await anext(stream)
    assert await sessions(connection) == 1
    await stream.aclose()
    await asyncio.wait_for(gone(connection), 5)


async def test_cancelling_ends_a_query_that_still_looks_for_its_first_row(database_url: Secret, connection):
    reading = asyncio.create_task(query(database_url, "select pg_sleep(60)"))
    running = (
        "select count(*) from pg_stat_activity where application_name = 'haulier query' and wait_event = 'PgSleep'"
    )
    while not await connection.fetchval(running + " and datname = current_database()"):
        await connection.execute("select pg_sleep(0.01)")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.wait_for(gone(connection), 5)


async def test_nothing_is_opened_before_the_stream_is_read(database_url: Secret, connection):
    stream = await opened(build_of(database_url, "select 1 as a"))
    assert await sessions(connection) == 0
    await stream.aclose()
