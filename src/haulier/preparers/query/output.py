"""What a query's file is: its name, its type, and what encodes its rows."""

import asyncio
import re
from collections.abc import Sequence

import msgspec

from haulier.preparers.query.columns import Column
from haulier.preparers.query.packing import packer
from haulier.preparers.query.params import Compression, Format, QueryParams
from haulier.preparers.query.reading import Encoder
from haulier.preparers.query.text import CsvText, JsonLines

_ENDING = re.compile(r"\.(csv|jsonl|parquet)(\.gz|\.zst)?$", re.IGNORECASE)
_PACKED = {"none": ("", ""), "gzip": (".gz", "application/gzip"), "zstd": (".zst", "application/zstd")}
_TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


class Output(msgspec.Struct, frozen=True):
    """A format with its compression; that of a Parquet file is inside, and its name does not show it."""

    format: Format
    compression: Compression

    @classmethod
    def of(cls, params: QueryParams, chosen: msgspec.Struct) -> "Output":
        """What the rule says, or the client where it may choose."""
        asked = {name: getattr(chosen, name) for name in params.choices}
        asked = {name: value for name, value in asked.items() if value is not msgspec.UNSET}
        kind: Format = asked.get("format", params.format)
        compression: Compression | None = asked.get("compression", params.compression)
        return cls(kind, compression or ("zstd" if kind == "parquet" else "none"))

    def file_name(self, name: str) -> str:
        """`name` with the right ending: `orders.csv` is `orders.jsonl.gz` when that was chosen."""
        suffix = "" if self.format == "parquet" else _PACKED[self.compression][0]
        return f"{_ENDING.sub('', name)}.{self.format}{suffix}"

    @property
    def content_type(self) -> str:
        packed = "" if self.format == "parquet" else _PACKED[self.compression][1]
        return packed or _TYPES[self.format]

    async def encoder(self, columns: Sequence[Column], params: QueryParams) -> Encoder:
        """What encodes rows of these columns."""
        key = params.key_columns
        if self.format == "parquet":
            return await asyncio.to_thread(_parquet, columns, params, self.compression)
        kind = CsvText if self.format == "csv" else JsonLines
        return kind(columns, key=key, pack=packer(self.compression))


def _parquet(columns: Sequence[Column], params: QueryParams, compression: Compression) -> Encoder:
    # Takes 60 MB and half a second: only workers that write Parquet pay.
    from haulier.preparers.query.parquet import ParquetFile

    return ParquetFile(columns, key=params.key_columns, compression=compression, decimals=params.decimals)
