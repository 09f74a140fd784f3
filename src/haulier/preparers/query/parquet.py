"""Rows as Parquet: the table of types, and a writer whose bytes are taken out while it writes.

Times are read as counts of days or microseconds: exact, and an infinite one is an error instead of a year 9999.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from haulier.errors import QueryFailed
from haulier.preparers.query.columns import Column, quoted

ROW_GROUP_ROWS = 100_000
ROW_GROUP_BYTES = 32 * 2**20
MAX_DECIMAL128 = 38

_SIMPLE: Mapping[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bytea": pa.binary(),
    "text": pa.string(),
    "varchar": pa.string(),
}
_MICROSECONDS = "(extract(epoch from {0}) * 1000000)::bigint"
_COUNTED: Mapping[str, tuple[pa.DataType, str]] = {
    "date": (pa.date32(), "({0} - date '1970-01-01')"),
    "time": (pa.time64("us"), _MICROSECONDS),
    "timestamp": (pa.timestamp("us"), _MICROSECONDS),
    "timestamptz": (pa.timestamp("us", tz="UTC"), _MICROSECONDS),
}


class ParquetFile:
    """One row group a chunk."""

    chunk_rows, chunk_bytes = ROW_GROUP_ROWS, ROW_GROUP_BYTES

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: Sequence[str],
        compression: str,
        decimals: Mapping[str, tuple[int, int]],
    ) -> None:
        mapped = [_mapped(column, decimals) for column in columns]
        self.selects = [select for _, select in mapped] + [f"q.{quoted(name)}::text" for name in key]
        self.key_at = tuple(range(len(columns), len(self.selects)))
        self._schema = pa.schema(
            [pa.field(column.name, kind) for column, (kind, _) in zip(columns, mapped, strict=True)]
        )
        self._sink = _Taken()
        self._compression = compression
        self._batches: list[pa.RecordBatch] = []

    def begin(self) -> None:
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"), self._schema, compression=self._compression
        )

    def add(self, rows: Sequence[Sequence[Any]]) -> int:
        """Take rows; answers their bytes in memory. Raises QueryFailed for a value that its type cannot hold."""
        arrays = [_array(values, field) for values, field in zip(zip(*rows, strict=True), self._schema, strict=False)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._batches.append(batch)
        return batch.nbytes

    def cut(self) -> bytes:
        """Write what was added as a row group; the bytes since the last cut."""
        if self._batches:
            table = pa.Table.from_batches(self._batches, schema=self._schema)
            self._batches.clear()
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        return self._sink.taken()

    def finish(self) -> bytes:
        """The footer."""
        self._writer.close()
        return self._sink.taken()


class _Taken(io.RawIOBase):
    """A file that remembers its length, and its bytes until they are taken out."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self._pieces.append(piece)
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


def _mapped(column: Column, decimals: Mapping[str, tuple[int, int]]) -> tuple[Any, str]:
    """The type in the file, and the SQL that reads a value for it. What the table does not know is text."""
    name = f"q.{quoted(column.name)}"
    if column.type in _SIMPLE:
        return _SIMPLE[column.type], name
    if column.type in _COUNTED:
        kind, select = _COUNTED[column.type]
        return kind, select.format(name)
    if column.type == "numeric" and column.name in decimals:
        precision, scale = decimals[column.name]
        return (pa.decimal128 if precision <= MAX_DECIMAL128 else pa.decimal256)(precision, scale), name
    element = column.type.removesuffix("[]")
    if element != column.type and element in _SIMPLE:
        return pa.list_(_SIMPLE[element]), name
    return pa.string(), f"{name}::text"


def _array(values: Sequence[Any], field: Any) -> Any:
    try:
        return pa.array(values, type=field.type)
    except (pa.ArrowException, OverflowError) as error:
        raise QueryFailed(reason=f"a value of column {field.name} does not fit Parquet's {field.type}") from error
