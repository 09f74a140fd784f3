"""query goes on after an interruption: byte for byte what an uninterrupted build makes, and how much it reads again."""

import gzip
import io
import json
from collections.abc import Sequence
from contextlib import aclosing

import pyarrow.parquet
import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from haulier.errors import BadRecipe, UploadLost
from haulier.preparers import Mark
from haulier.preparers.query import parquet, text
from haulier.preparers.query.source import Snapshot
from haulier.settings import Secret
from tests.fake_build import FakeBuild
from tests.integration.query_steps import build_of, content, opened, pieces

ORDERS = "select id, region, total, placed_at from orders where total > :least"
RULE = {"parameters": {"least": "number"}, "choice": {"least": 10}, "key": "id", "decimals": {"total": (10, 2)}}
OUTPUTS = [
    ("csv", "none"),
    ("csv", "gzip"),
    ("csv", "zstd"),
    ("jsonl", "none"),
    ("jsonl", "gzip"),
    ("jsonl", "zstd"),
    ("parquet", "none"),
    ("parquet", "zstd"),
]
FEW = [("csv", "gzip"), ("jsonl", "none"), ("parquet", "zstd")]


@pytest.fixture
async def orders(database_url: Secret, connection) -> Secret:
    """300 rows, so that chunks of a few dozen make many marks."""
    await connection.execute(
        """
        create table orders (id int8 primary key, region text, total numeric(10, 2), placed_at timestamptz);
        insert into orders
        select i, case when i % 7 = 0 then null when i % 5 = 0 then '' else 'région "' || i || E'",\n' end,
          i * 1.25, timestamptz '2026-01-01Z' + i * interval '1 hour'
        from generate_series(1, 300) i
        """
    )
    return database_url


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (text.CsvText, text.JsonLines, parquet.ParquetFile):
        monkeypatch.setattr(kind, "chunk_rows", 23)


def build(url: Secret, output: tuple[str, str], sql: str = ORDERS, **rule: object) -> FakeBuild:
    return build_of(url, sql, format=output[0], compression=output[1], **(RULE | rule))


def places(found: Sequence[bytes | Mark]) -> list[tuple[Mark, bytes, bytes]]:
    """Each mark with the bytes before and behind it."""
    return [(one, _joined(found[:at]), _joined(found[at:])) for at, one in enumerate(found) if isinstance(one, Mark)]


def _joined(found: Sequence[bytes | Mark]) -> bytes:
    return b"".join(one for one in found if isinstance(one, bytes))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", OUTPUTS)
async def test_a_build_that_goes_on_at_any_mark_makes_the_same_bytes(orders: Secret, output: tuple[str, str]):
    found = await pieces(build(orders, output))
    assert await pieces(build(orders, output)) == found
    marks = places(found)
    assert len(marks) == 12
    for mark, _, behind in marks:
        assert await content(build(orders, output), mark) == behind


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", OUTPUTS)
async def test_the_file_of_many_chunks_opens(orders: Secret, output: tuple[str, str]):
    whole = await content(build(orders, output))
    if output[0] == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(whole)).column("id").to_pylist() == list(range(9, 301))
        return
    if output[1] == "gzip":
        whole = gzip.decompress(whole)
    elif output[1] == "zstd":
        whole = zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True).read()
    assert whole == await content(build(orders, (output[0], "none")))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", FEW)
async def test_a_mark_behind_the_last_row_is_followed_by_the_end_alone(orders: Secret, output: tuple[str, str]):
    found = await pieces(build(orders, output, ORDERS + " and id <= 8 + 46"))
    mark, _, behind = places(found)[-1]
    assert await content(build(orders, output, ORDERS + " and id <= 8 + 46"), mark) == behind
    assert (output[0] == "parquet") == bool(behind)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", FEW)
async def test_only_parquet_reads_rows_before_the_mark_again(
    orders: Secret, monkeypatch: pytest.MonkeyPatch, output: tuple[str, str]
):
    mark, _, _ = places(await pieces(build(orders, output)))[5]
    fetched: list[int] = []
    fetch = Snapshot.fetch

    async def counting(self: Snapshot, rows: int) -> list[Sequence[object]]:
        found = await fetch(self, rows)
        fetched.append(len(found))
        return found

    monkeypatch.setattr(Snapshot, "fetch", counting)
    await content(build(orders, output), mark)
    assert sum(fetched) == 292 - (0 if output[0] == "parquet" else mark.state["rows"])


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", FEW)
async def test_rows_that_came_behind_the_mark_belong_to_the_file(orders: Secret, connection, output: tuple[str, str]):
    mark, before, _ = places(await pieces(build(orders, output)))[5]
    await connection.execute("insert into orders values (1000, 'late', 99, now())")
    assert before + await content(build(orders, output), mark) == await content(build(orders, output))


@pytest.mark.usefixtures("small_chunks")
async def test_a_parquet_file_whose_rows_changed_starts_over(orders: Secret, connection):
    mark, _, _ = places(await pieces(build(orders, ("parquet", "none"))))[5]
    await connection.execute("update orders set region = 'elsewhere' where id = 20")
    with pytest.raises(UploadLost):
        await content(build(orders, ("parquet", "none")), mark)


@pytest.mark.usefixtures("small_chunks")
async def test_a_parquet_file_whose_rows_are_gone_starts_over(orders: Secret, connection):
    mark, _, _ = places(await pieces(build(orders, ("parquet", "none"))))[5]
    await connection.execute("delete from orders where id > 20")
    with pytest.raises(UploadLost):
        await content(build(orders, ("parquet", "none")), mark)


async def test_a_mark_that_is_none_starts_over(orders: Secret):
    with pytest.raises(UploadLost):
        await content(build(orders, ("csv", "none")), Mark({"entries": 3}))
    with pytest.raises(UploadLost):
        await content(build(orders, ("csv", "none")), Mark({"rows": "3"}))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", FEW)
async def test_columns_that_changed_start_over(orders: Secret, connection, output: tuple[str, str]):
    mark, _, _ = places(await pieces(build(orders, output)))[0]
    await connection.execute("alter table orders alter column total type float8")
    with pytest.raises(UploadLost):
        await content(build(orders, output), mark)


@pytest.mark.usefixtures("small_chunks")
async def test_several_columns_of_any_order_are_a_key(orders: Secret):
    sql = "select id, placed_at, total, (id % 3)::text as third from orders order by total desc"
    rule = {"key": ("third", "placed_at", "id"), "parameters": {}, "choice": None}
    found = await pieces(build(orders, ("csv", "none"), sql, **rule))
    for mark, _, behind in places(found):
        assert await content(build(orders, ("csv", "none"), sql, **rule), mark) == behind


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("output", [("csv", "gzip"), ("parquet", "none")])
async def test_without_a_key_there_are_no_marks(orders: Secret, output: tuple[str, str]):
    assert places(await pieces(build(orders, output, key=()))) == []


@pytest.mark.parametrize("output", FEW)
@pytest.mark.parametrize(
    ("key", "sentence"),
    [("maybe", "NULL"), ("twice", "not unique"), ("nothing", "is not a column"), ("list", "type int4")],
)
async def test_a_key_that_would_lose_rows_is_a_bad_recipe(
    orders: Secret, output: tuple[str, str], key: str, sentence: str
):
    sql = ORDERS.replace("select", "select nullif(id, 300) as maybe, id / 2 as twice, array[1] as list,")
    with pytest.raises(BadRecipe, match=sentence):
        await content(build(orders, output, sql, key=key))


@pytest.mark.usefixtures("small_chunks")
async def test_a_key_that_comes_twice_is_found_across_chunks(orders: Secret):
    sql = "select case when id = 24 then 23 else id end as id from orders"
    with pytest.raises(BadRecipe, match="not unique"):
        await content(build(orders, ("csv", "none"), sql, parameters={}, choice=None))


@pytest.mark.usefixtures("small_chunks")
async def test_progress_goes_on_where_it_was(orders: Secret):
    mark, before, behind = places(await pieces(build(orders, ("csv", "none"))))[5]
    resumed = build(orders, ("csv", "none"))
    await content(resumed, mark)
    assert resumed.reports[0].done == len(before)
    assert resumed.reports[-1].done == resumed.reports[-1].total == len(before) + len(behind)


@pytest.mark.usefixtures("small_chunks")
async def test_a_parquet_build_says_that_it_reads_again(orders: Secret, capsys: pytest.CaptureFixture[str]):
    mark, _, _ = places(await pieces(build(orders, ("parquet", "none"))))[5]
    resumed = build(orders, ("parquet", "none"))
    await content(resumed, mark)
    stages = [report.stage for report in resumed.reports]
    assert stages.count("reading again") == 6
    assert "query_read_again" in capsys.readouterr().out


CELL = st.one_of(
    st.none(), st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=30)
)
TABLE = st.lists(st.tuples(CELL, st.none() | st.integers(-(2**31), 2**31 - 1)), max_size=40)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=TABLE, output=st.sampled_from(OUTPUTS), at=st.integers(0, 5), data=st.data())
async def test_any_rows_interrupted_anywhere_make_the_same_bytes(
    database_url: Secret, monkeypatch: pytest.MonkeyPatch, rows, output: tuple[str, str], at: int, data
):
    for kind in (text.CsvText, text.JsonLines, parquet.ParquetFile):
        monkeypatch.setattr(kind, "chunk_rows", data.draw(st.integers(1, 9)))
        monkeypatch.setattr(kind, "chunk_bytes", data.draw(st.sampled_from([1, 50, 2**20])))
    document = json.dumps([{"id": number, "words": words, "n": n} for number, (words, n) in enumerate(rows)])
    sql = "select * from jsonb_to_recordset(:rows::jsonb) as t(id int, words text, n int)"
    rule = {"parameters": {"rows": "text"}, "choice": {"rows": document}, "key": "id"}
    whole = await pieces(build(database_url, output, sql, **rule))
    marks = places(whole)
    if marks:
        mark, _, behind = marks[at % len(marks)]
        assert await content(build(database_url, output, sql, **rule), mark) == behind


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
async def test_large_rows_are_asked_for_in_small_batches(database_url: Secret, kind: str):
    sql = "select i as id, repeat(md5(i::text), 30000) as words from generate_series(1, 60) i"
    build = build_of(database_url, sql, format=kind, key="id", compression="none")
    async with aclosing(await opened(build)) as stream:
        found = [one if isinstance(one, Mark) else len(one) async for one in stream]
    assert next(one for one in found if isinstance(one, Mark)).state["fetch"] == 1
    assert max(one for one in found if isinstance(one, int)) <= 2**20
