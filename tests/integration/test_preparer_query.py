"""query on a real PostgreSQL: types, formats, bound parameters, limits of the transaction, progress."""

import csv
import io
import json
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow.parquet
import pytest

from haulier.preparers.query import source
from haulier.settings import Secret
from tests.integration.query_steps import build_of, content, query

ROW = """
select 1::int2 as small, 9007199254740993::int8 as big, 1.10::numeric as exact, 0.1::float8 as double, true as yes,
  'a "b", c' || chr(10) || 'ü 漢字 🏔' as words, '' as empty, null::text as nothing,
  date '2026-02-28' as day, timestamptz '2026-02-28 12:00:00.123456+02' as at, timestamp '2026-02-28 12:00' as local,
  time '23:59:59.5' as clock, interval '1 day 2 hours' as lasted, '\\x00ff'::bytea as raw,
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as uid, '{"a": [1, "x"]}'::jsonb as document, array[1, null, 3] as many
"""
FORMATS = ["csv", "jsonl", "parquet"]


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


async def test_csv_has_a_header_and_the_text_of_each_value(database_url: Secret):
    header, row = rows_of(await query(database_url, ROW))
    assert dict(zip(header, row, strict=True)) == {
        "small": "1",
        "big": "9007199254740993",
        "exact": "1.10",
        "double": "0.1",
        "yes": "true",
        "words": 'a "b", c\nü 漢字 🏔',
        "empty": "",
        "nothing": "",
        "day": "2026-02-28",
        "at": "2026-02-28 10:00:00.123456+00",
        "local": "2026-02-28 12:00:00",
        "clock": "23:59:59.5",
        "lasted": "P1DT2H",
        "raw": "\\x00ff",
        "uid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "document": '{"a": [1, "x"]}',
        "many": "{1,NULL,3}",
    }


async def test_json_lines_keep_types_and_digits(database_url: Secret):
    text = await query(database_url, ROW, format="jsonl")
    row = json.loads(text, parse_float=Decimal)
    assert str(row["exact"]) == "1.10"
    assert (row["big"], row["nothing"], row["empty"], row["yes"]) == (9007199254740993, None, "", True)
    assert (row["at"], row["local"]) == ("2026-02-28T10:00:00.123456+00:00", "2026-02-28T12:00:00")
    assert (row["document"], row["many"]) == ({"a": [1, "x"]}, [1, None, 3])


async def test_parquet_has_types(database_url: Secret):
    text = await query(database_url, ROW, format="parquet", decimals={"exact": (10, 2)})
    table = pyarrow.parquet.read_table(io.BytesIO(text))
    assert {field.name: str(field.type) for field in table.schema} == {
        "small": "int16",
        "big": "int64",
        "exact": "decimal128(10, 2)",
        "double": "double",
        "yes": "bool",
        "words": "string",
        "empty": "string",
        "nothing": "string",
        "day": "date32[day]",
        "at": "timestamp[us, tz=UTC]",
        "local": "timestamp[us]",
        "clock": "time64[us]",
        "lasted": "string",
        "raw": "binary",
        "uid": "string",
        "document": "string",
        "many": "list<element: int32>",
    }
    (row,) = table.to_pylist()
    assert (row["exact"], row["nothing"], row["empty"]) == (Decimal("1.10"), None, "")
    assert (row["day"], row["at"]) == (date(2026, 2, 28), datetime(2026, 2, 28, 10, 0, 0, 123456, UTC))
    assert (row["clock"], row["raw"], row["many"]) == (time(23, 59, 59, 500000), b"\x00\xff", [1, None, 3])


@pytest.mark.parametrize("kind", FORMATS)
async def test_an_empty_result_is_a_whole_file(database_url: Secret, kind: str):
    text = await query(database_url, "select 1 as a, 'x' as b where false", format=kind)
    if kind == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(text)).column_names == ["a", "b"]
    else:
        assert text == (b"a,b\n" if kind == "csv" else b"")


@pytest.mark.parametrize("kind", FORMATS)
async def test_columns_with_the_same_name_are_told_apart(database_url: Secret, kind: str):
    text = await query(database_url, "select 1 as a, 2 as a", format=kind)
    if kind == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(text)).to_pylist() == [{"a": 1, "a_2": 2}]
    else:
        assert text == (b"a,a_2\n1,2\n" if kind == "csv" else b'{"a":1,"a_2":2}\n')


async def test_the_order_of_the_query_is_kept(database_url: Secret):
    text = await query(database_url, "select i from generate_series(1, 3) i order by i desc -- falling")
    assert text == b"i\n3\n2\n1\n"


async def test_settings_of_the_role_do_not_change_the_bytes(database_url: Secret, connection):
    await connection.execute(
        "do $$ begin execute 'alter database ' || current_database() || ' set timezone to ''Asia/Tokyo'''; end $$"
    )
    assert await query(database_url, "select timestamptz '2026-01-01Z' as at") == b"at\n2026-01-01 00:00:00+00\n"


# ---- parameters


EVERY_KIND = {
    "i": "integer",
    "n": "number",
    "t": "text",
    "b": "boolean",
    "d": "date",
    "at": "timestamp",
    "u": "uuid",
    "none": {"type": "text", "required": False},
}


async def test_parameters_arrive_with_their_types(database_url: Secret):
    choice = {
        "i": 2**62,
        "n": 1.25,
        "t": "é",
        "b": True,
        "d": "2026-01-31",
        "at": "2026-01-01T01:00:00+01:00",
        "u": str(uuid.UUID(int=7)),
    }
    sql = "select :i as i, :n as n, :t as t, :b as b, :d as d, :at as at, :u as u, :none as none, :file_id as file_id"
    _, row = rows_of(await query(database_url, sql, parameters=EVERY_KIND, choice=choice))
    assert row == [
        "4611686018427387904",
        "1.25",
        "é",
        "true",
        "2026-01-31",
        "2026-01-01 00:00:00+00",
        "00000000-0000-0000-0000-000000000007",
        "",
        "70000",
    ]


@pytest.mark.parametrize(
    "text",
    ["' or true --", "'; drop table orders; --", "$1", ":file_id", "{file_id}", "\\", "'||(select 1)||'", "%s", '"'],
)
async def test_a_value_is_never_sql(database_url: Secret, connection, text: str):
    await connection.execute("create table orders (region text); insert into orders values ('north')")
    rule = {"parameters": {"region": "text"}, "choice": {"region": text}}
    assert await query(database_url, "select * from orders where region = :region", **rule) == b"region\n"
    assert rows_of(await query(database_url, "select :region as r", **rule))[1] == [text]
    assert await connection.fetchval("select count(*) from orders") == 1


async def test_the_transaction_is_limited_on_the_server(database_url: Secret):
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_isolation"]
    sql = "select " + ", ".join(f"current_setting('{name}') as s{at}" for at, name in enumerate(names))
    _, row = rows_of(await query(database_url, sql, statement_timeout_s=90))
    assert row == ["90s", source.SESSION["lock_timeout"], "5min", "repeatable read"]


async def test_progress_starts_from_the_planners_estimate(database_url: Secret, connection):
    await connection.execute("create table t as select i from generate_series(1, 25000) i; analyze t")
    build = build_of(database_url, "select * from t")
    size = len(await content(build))
    assert build.reports[0].total is None
    assert build.reports[1].total == build.reports[1].done * 25_000 // 10_000
    assert build.reports[-1].done == build.reports[-1].total == size
