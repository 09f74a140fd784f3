"""query with many rows: memory stays flat. Ten million behind HAULIER_TEST_LARGE=1, which prints rates and peaks."""

import asyncio
import os
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from haulier.preparers import Mark
from haulier.settings import Secret
from tests.integration.query_steps import build_of, opened

LARGE = os.environ.get("HAULIER_TEST_LARGE") == "1"
ROWS = 10_000_000 if LARGE else 200_000
SQL = """
select i as id, 'name ' || i as name, (i * 1.37)::numeric(12, 2) as price, date '2026-01-01' + (i % 365)::int as day,
  timestamptz '2026-01-01Z' + i * interval '1 s' as at, i % 3 = 0 as ok
from generate_series(1, :rows) as i
"""
RULE = {"parameters": {"rows": "integer"}, "choice": {"rows": ROWS}, "decimals": {"price": (12, 2)}}
MAX_GROWTH_MIB = 96  # a row group of Parquet and its encoded form; text takes less


def resident_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.timeout(600 if LARGE else 60)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
async def test_memory_does_not_grow_with_the_rows(database_url: Secret, kind: str):
    # Imported before the measure, as in a worker that made such a file before.
    await asyncio.to_thread(__import__, "pyarrow.parquet")
    idle = peak = resident_mib()
    started, size = time.perf_counter(), 0
    async with aclosing(await opened(build_of(database_url, SQL, format=kind, **RULE))) as stream:
        async for piece in stream:
            assert not isinstance(piece, Mark)
            size += len(piece)
            peak = max(peak, resident_mib())
    seconds = time.perf_counter() - started
    if LARGE:
        print(  # noqa: T201 # the figures are what this run is for
            f"\n{kind}: {ROWS / seconds:,.0f} rows/s, {size / 2**20:,.0f} MiB in {seconds:.0f} s,"
            f" {peak - idle:.0f} MiB above idle"
        )
    assert peak - idle < MAX_GROWTH_MIB
