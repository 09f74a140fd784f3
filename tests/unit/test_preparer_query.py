"""query without a database: placeholders, a rule's parameters, what clients may choose, names, CSV and chunk sizes."""

import csv
import gzip
import io
import json
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import BadRecipe, QueryFailed
from haulier.preparers.query import QueryParams, prepare, request_params
from haulier.preparers.query.columns import MAX_NAME_BYTES, Column, check_key, quoted, unique
from haulier.preparers.query.output import Output
from haulier.preparers.query.packing import packer
from haulier.preparers.query.params import values
from haulier.preparers.query.parquet import ParquetFile
from haulier.preparers.query.progress import QueryProgress
from haulier.preparers.query.sqltext import bound
from haulier.preparers.query.text import CsvText, JsonLines
from haulier.settings import Secret, Settings, load
from tests.fake_build import FakeBuild

TYPES = {"since": "date", "region": "text", "file_id": "bigint"}
TEXT_COLUMNS = (Column("a", "text"), Column("b", "int4"), Column("c", "text"))
CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")) | st.none()


def rule(**params: object) -> QueryParams:
    return msgspec.convert({"sql": "select 1"} | params, QueryParams)


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
        ({"parameters": {"n": {"type": "integer", "defualt": 1}}}, "unknown field `defualt`"),
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
    build = FakeBuild(rule(), settings=Settings(query_database_url=Secret("postgresql://nowhere/x")))
    assert (await prepare(build)).file_name == "query-70000.csv"


async def test_a_database_that_is_not_configured_is_a_bad_recipe():
    with pytest.raises(BadRecipe, match="no database 'warehouse' is configured"):
        await prepare(FakeBuild(rule(database="warehouse"), settings=Settings(database_url=Secret("postgresql://x/y"))))


async def test_the_ledger_is_no_database_for_queries():
    with pytest.raises(BadRecipe):
        await prepare(FakeBuild(rule(), settings=Settings(database_url=Secret("postgresql://x/y"))))


async def test_a_required_parameter_that_nobody_chose_is_a_bad_recipe():
    with pytest.raises(BadRecipe, match="`since`"):
        await prepare(FakeBuild(rule(parameters={"since": "date"})))


def test_databases_have_names():
    settings = load({"HAULIER_QUERY_DATABASES": "a=postgresql://x/a  b=postgres://u:p@y/b?sslmode=require"})
    assert settings.query_url("b").reveal() == "postgres://u:p@y/b?sslmode=require"
    assert not settings.query_url("c")


# ---- columns


def test_columns_get_names_of_their_own():
    names = ["id", "id", "id_2", "?column?", "id"]
    assert [column.name for column in unique(Column(name, "int4") for name in names)] == [
        "id",
        "id_2",
        "id_2_2",
        "?column?",
        "id_3",
    ]


@given(
    st.lists(
        st.text(min_size=1, max_size=70).map(lambda text: text.encode(errors="ignore")[:63].decode(errors="ignore"))
    )
)
def test_names_stay_unique_and_within_the_limit(names: list[str]):
    if not names:
        return
    found = [column.name for column in unique(Column(name, "text") for name in names)]
    assert len(set(found)) == len(names)
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in found)


def test_no_columns_are_a_bad_recipe():
    with pytest.raises(BadRecipe, match="no columns"):
        unique([])


@pytest.mark.parametrize(("key", "sentence"), [("x", "is not a column"), ("j", "of type jsonb")])
def test_a_key_that_cannot_be_continued_is_a_bad_recipe(key: str, sentence: str):
    with pytest.raises(BadRecipe, match=sentence):
        check_key([key], [Column("id", "int8"), Column("j", "jsonb")])


def test_names_are_quoted():
    assert quoted('a"; drop table t; --') == '"a""; drop table t; --"'


# ---- rows to bytes


def plain(content: bytes) -> bytes:
    return content


@given(st.lists(st.tuples(CELLS, st.integers().map(str) | st.none(), CELLS)))
def test_csv_reads_back_what_was_written(rows: list[tuple[str | None, ...]]):
    encoder = CsvText(TEXT_COLUMNS, key=(), pack=plain)
    encoder.begin()
    if rows:
        encoder.add(rows)
    text = encoder.cut().decode()
    read = list(csv.reader(io.StringIO(text, newline=""), lineterminator="\n", strict=True))
    assert read == [["a", "b", "c"], *([cell or "" for cell in row] for row in rows)]


def test_csv_tells_null_from_empty_text():
    encoder = CsvText(TEXT_COLUMNS, key=(), pack=plain)
    encoder.add([(None, None, ""), ('say "hi"', "1", "a\r\nb, c")])
    assert encoder.cut() == b',,""\n"say ""hi""",1,"a\r\nb, c"\n'


def test_json_lines_keep_to_one_line_a_row():
    encoder = JsonLines([Column("a", "json")], key=(), pack=plain)
    encoder.add([('{"a":{"b":\n 1}}',), ('{"a":"c\\nd"}',)])
    assert [json.loads(line) for line in encoder.cut().splitlines()] == [{"a": {"b": 1}}, {"a": "c\nd"}]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_packed_chunks_follow_each_other(compression: str):
    pack = packer(compression)
    whole = pack(b"one\n") + pack(b"two\n") + pack(b"")
    read = gzip.decompress if compression == "gzip" else _unzstd
    assert read(whole) == b"one\ntwo\n"
    assert pack(b"x" * 1000) == packer(compression)(b"x" * 1000)


def _unzstd(content: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
        return reader.read()


@pytest.mark.parametrize(
    ("kind", "value"), [("numeric", Decimal("1.234")), ("numeric", Decimal("NaN")), ("int4[]", [[1], [2]])]
)
def test_a_value_that_parquet_cannot_hold_fails_the_query(kind: str, value: object):
    encoder = ParquetFile([Column("a", kind)], key=(), compression="none", decimals={"a": (5, 2)})
    with pytest.raises(QueryFailed, match="column a does not fit"):
        encoder.add([(value,)])


def test_parquet_has_a_row_group_for_each_chunk():
    encoder = ParquetFile([Column("a", "int8")], key=(), compression="zstd", decimals={})
    encoder.begin()
    content = b""
    for start in (0, 10):
        encoder.add([(number,) for number in range(start, start + 10)])
        content += encoder.cut()
    content += encoder.finish()
    file = pa.parquet.ParquetFile(io.BytesIO(content))
    assert file.num_row_groups == 2
    assert file.read().column("a").to_pylist() == list(range(20))


# ---- progress


def test_progress_follows_the_estimate_and_corrects_it():
    build = FakeBuild(rule())
    progress = QueryProgress(build, rows=0, size=0)
    progress.expected = 100
    progress.start()
    progress.add(rows=50, size=500)
    progress.add(rows=60, size=1500)
    progress.end()
    assert [(report.done, report.total) for report in build.reports] == [
        (0, None),
        (500, 1000),
        (2000, 2090),
        (2000, 2000),
    ]
