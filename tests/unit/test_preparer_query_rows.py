"""query without a database: columns, rows to bytes, chunks that follow each other, progress."""

import csv
import gzip
import io
import json
from decimal import Decimal

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import BadRecipe, QueryFailed
from haulier.preparers.query.columns import MAX_NAME_BYTES, Column, check_key, quoted, unique
from haulier.preparers.query.packing import packer
from haulier.preparers.query.parquet import ParquetFile
from haulier.preparers.query.progress import STAGE, QueryProgress
from haulier.preparers.query.text import CsvText, JsonLines
from tests.fake_build import FakeBuild

TEXT_COLUMNS = (Column("a", "text"), Column("b", "int4"), Column("c", "text"))
CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")) | st.none()


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
    build = FakeBuild(None)
    progress = QueryProgress(build, rows=0, size=0)
    progress.expected = 100
    progress.start()
    progress.add(rows=50, size=500, stage=STAGE)
    progress.add(rows=60, size=1500, stage=STAGE)
    progress.end()
    assert [(report.done, report.total) for report in build.reports] == [
        (0, None),
        (500, 1000),
        (2000, 2090),
        (2000, 2000),
    ]
