"""query without a database: placeholders, a rule's parameters, what clients may choose, names."""

import subprocess
import sys
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import BadRecipe
from haulier.preparers.query import QueryParams, prepare, request_params
from haulier.preparers.query.output import Output
from haulier.preparers.query.params import values
from haulier.preparers.query.sqltext import bound
from haulier.settings import Secret, Settings, load
from tests.fake_build import FakeBuild

TYPES = {"since": "date", "region": "text", "file_id": "bigint"}


def rule(**params: object) -> QueryParams:
    return msgspec.convert({"sql": "select 1"} | params, QueryParams)


def unchosen(params: QueryParams, **build: Any) -> FakeBuild:
    """A build for which nobody chose anything."""
    made = FakeBuild(params, **build)
    made.request_params = None
    return made


def refused(**params: object) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        rule(**params)
    return str(caught.value)


# ---- placeholders


def test_names_become_typed_positions():
    found = bound("select * from t where at >= :since and region = :region or :since is null;\n", TYPES)
    assert found.sql == "select * from t where at >= ($1::date) and region = ($2::text) or ($1::date) is null"
    assert found.names == ("since", "region")


@pytest.mark.parametrize(
    "sql",
    [
        "select ':since'",
        "select 'it''s :since'",
        r"select E'\' :since'",
        'select ":since"',
        "select $$ :since $$",
        "select $x$ :since $$ :region $x$",
        "select 1 -- :since",
        "select 1 /* :since /* :region */ :since */",
        "select '1'::text",
        "select array[1,2,3][1:2]",
        "select a$since from t",
    ],
)
def test_what_only_looks_like_a_name_stays(sql: str):
    assert bound(sql, TYPES).sql == sql
    assert bound(sql, TYPES).names == ()


def test_a_cast_behind_a_name_is_no_name():
    assert bound("select :region::text", TYPES).sql == "select ($1::text)::text"


@pytest.mark.parametrize("sql", ["select :other", "select $1", "select :Since"])
def test_a_name_that_is_not_declared_and_a_position_are_refused(sql: str):
    with pytest.raises(ValueError, match="`sql` uses"):
        bound(sql, TYPES)


PIECES = st.sampled_from(
    [
        "select ",
        ":since",
        ":region",
        "'a :x'",
        '"b :y"',
        "$$ :z $$",
        "::text",
        " -- :c\n",
        "/* :d */",
        " ",
        "1",
        "e'\\''",
    ]
)


@given(st.lists(PIECES))
def test_only_declared_names_are_replaced_wherever_they_stand(pieces: list[str]):
    found = bound("\n".join(pieces), TYPES)
    expected = [piece[1:] for piece in pieces if piece in {":since", ":region"}]
    assert found.names == tuple(dict.fromkeys(expected))
    for name, number in zip(found.names, range(1, 3), strict=False):
        assert found.sql.count(f"(${number}::{TYPES[name]})") == expected.count(name)


@given(st.text(alphabet=":'\"$e/*- \n\\ax1", max_size=40))
def test_any_text_is_bound_or_refused(sql: str):
    with suppress(ValueError):
        assert set(bound(sql, {"a": "text", "x": "text"}).names) <= {"a", "x"}


# ---- a rule's parameters


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"sql": "select :since"}, "which is not among its parameters (file_id)"),
        ({"parameters": {"file_id": "integer"}}, "must not hold 'file_id'"),
        ({"parameters": {"Since": "date"}}, "must not hold 'Since'"),
        ({"parameters": {"since": "day"}}, "Invalid enum value 'day'"),
        ({"parameters": {"n": {"type": "integer", "default": "x"}}}, "the default of the parameter 'n' is no integer"),
        ({"parameters": {"n": {"type": "integer", "fallback": 1}}}, "unknown field `fallback`"),
        ({"parameters": {"format": "text"}, "choices": ["format"]}, "is both a parameter and one of `choices`"),
        ({"format": "xlsx"}, "Invalid enum value 'xlsx'"),
        ({"choices": ["sql"]}, "Invalid enum value 'sql'"),
        ({"decimals": {"a": [2, 3]}}, "the scale is larger than the precision"),
        ({"statement_timeout_s": 0}, "statement_timeout_s"),
    ],
)
def test_a_wrong_rule_is_refused_with_a_sentence(params: dict[str, object], sentence: str):
    assert sentence in refused(**params)


ALL_KINDS = {
    "since": "date",
    "class": {"type": "text", "default": "all", "description": "Which."},
    "most": {"type": "integer", "default": 5},
    "least": {"type": "number", "required": False},
    "only_open": {"type": "boolean", "default": False},
    "until": {"type": "timestamp", "required": False},
    "customer": {"type": "uuid", "required": False},
}


def chosen(params: QueryParams, **choice: object) -> dict[str, object]:
    return values(params, msgspec.convert(choice, request_params(params)))


def test_a_choice_is_typed_and_filled_with_defaults():
    customer = uuid.uuid4()
    assert chosen(
        rule(parameters=ALL_KINDS),
        since="2026-02-01",
        least=1.5,
        until="2026-01-01T00:00:00Z",
        customer=str(customer),
        **{"class": "x'; drop table t; --"},
    ) == {
        "since": date(2026, 2, 1),
        "class": "x'; drop table t; --",
        "most": 5,
        "least": Decimal("1.5"),
        "only_open": False,
        "until": datetime(2026, 1, 1, tzinfo=UTC),
        "customer": customer,
    }


@pytest.mark.parametrize(
    ("choice", "path"),
    [
        ({}, "`since`"),
        ({"since": "yesterday"}, "$.since"),
        ({"since": "2026-01-01", "most": 2**63}, "$.most"),
        ({"since": "2026-01-01", "most": "5"}, "$.most"),
        ({"since": "2026-01-01", "class": "a\0b"}, "$.class"),
        ({"since": "2026-01-01", "until": "2026-01-01T00:00:00"}, "$.until"),
        ({"since": "2026-01-01", "sql": "select 1"}, "unknown field `sql`"),
        ({"since": "2026-01-01", "format": "csv"}, "unknown field `format`"),
        ({"since": "2026-01-01", "file_id": 1}, "unknown field `file_id`"),
    ],
)
def test_a_wrong_choice_is_refused_with_its_path(choice: dict[str, object], path: str):
    with pytest.raises(msgspec.ValidationError) as caught:
        chosen(rule(parameters=ALL_KINDS), **choice)
    assert path in str(caught.value)


def test_a_rule_has_a_schema():
    schema = msgspec.json.schema(QueryParams)["$defs"]["QueryParams"]
    assert schema["required"] == ["sql"]
    assert all(one.get("description") for one in schema["properties"].values())


def test_the_choice_has_a_schema_with_types_and_descriptions():
    schema = msgspec.json.schema(request_params(rule(parameters=ALL_KINDS, choices=["format"])))
    found = schema["$defs"]["QueryChoices"]
    assert found["required"] == ["since"]
    assert found["properties"]["class"]["description"] == "Which."
    assert found["properties"]["format"]["enum"] == ["csv", "jsonl", "parquet"]


# ---- names, types and databases


@pytest.mark.parametrize(
    ("params", "choice", "name", "kind"),
    [
        ({}, {}, "o.csv", "text/csv; charset=utf-8; header=present"),
        ({"format": "jsonl", "compression": "gzip"}, {}, "o.jsonl.gz", "application/gzip"),
        ({"compression": "zstd"}, {}, "o.csv.zst", "application/zstd"),
        ({"format": "parquet"}, {}, "o.parquet", "application/vnd.apache.parquet"),
        ({"choices": ["format"]}, {"format": "jsonl"}, "o.jsonl", "application/x-ndjson"),
        ({"choices": ["compression"]}, {"compression": "gzip"}, "o.csv.gz", "application/gzip"),
        ({"choices": ["format", "compression"]}, {}, "o.csv", "text/csv; charset=utf-8; header=present"),
    ],
)
async def test_name_and_type_say_what_was_chosen(
    params: dict[str, object], choice: dict[str, object], name: str, kind: str
):
    made = rule(**params)
    output = Output.of(made, msgspec.convert(choice, request_params(made)))
    assert (output.file_name("o.csv"), output.content_type) == (name, kind)
    assert output.file_name("o") == name


async def test_a_query_without_a_name_is_called_by_its_file():
    build = unchosen(rule(), settings=Settings(query_database_url=Secret("postgresql://nowhere/x")))
    assert (await prepare(build)).file_name == "query-70000.csv"


async def test_a_database_that_is_not_configured_is_a_bad_recipe():
    with pytest.raises(BadRecipe, match="no database 'warehouse' is configured"):
        await prepare(unchosen(rule(database="warehouse"), settings=Settings(database_url=Secret("postgresql://x/y"))))


async def test_the_ledger_is_no_database_for_queries():
    with pytest.raises(BadRecipe):
        await prepare(unchosen(rule(), settings=Settings(database_url=Secret("postgresql://x/y"))))


async def test_a_required_parameter_that_nobody_chose_is_a_bad_recipe():
    with pytest.raises(BadRecipe, match="`since`"):
        await prepare(unchosen(rule(parameters={"since": "date"})))


def test_databases_have_names():
    settings = load({"HAULIER_QUERY_DATABASES": "a=postgresql://x/a  b=postgres://u:p@y/b?sslmode=require"})
    assert settings.query_url("b").reveal() == "postgres://u:p@y/b?sslmode=require"
    assert not settings.query_url("c")


def test_only_writing_parquet_loads_pyarrow():
    program = "import sys, haulier.preparers.query; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
