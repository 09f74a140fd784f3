"""Rows as CSV or JSON Lines: the server gives each value (or the whole object) as text, so that no digit is lost."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from haulier.preparers.query.columns import Column, quoted

CHUNK_ROWS = 10_000
CHUNK_BYTES = 4 * 2**20
# Their text is never empty and never needs quotes.
_PLAIN = frozenset(
    {"int2", "int4", "int8", "float4", "float8", "numeric", "bool", "date", "timestamp", "timestamptz", "time"}
    | {"timetz", "uuid", "oid", "bytea", "interval"}
)
_special = re.compile(r'[",\r\n]').search

Rows = Sequence[Sequence[Any]]


class CsvText:
    """RFC 4180 with `\\n` line ends and a header. NULL is an empty field, an empty text `""`, as COPY writes them."""

    chunk_rows, chunk_bytes = CHUNK_ROWS, CHUNK_BYTES

    def __init__(self, columns: Sequence[Column], *, key: Sequence[str], pack: Callable[[bytes], bytes]) -> None:
        names = [column.name for column in columns]
        self.selects = [f"q.{quoted(name)}::text" for name in names]
        self.key_at = tuple(names.index(name) for name in key)
        self._free = tuple(at for at, column in enumerate(columns) if column.type not in _PLAIN)
        self._header = (",".join(map(_field, names)) + "\n").encode()
        self._pack = pack
        self._pieces: list[bytes] = []

    def begin(self) -> None:
        self._pieces.append(self._header)

    def add(self, rows: Rows) -> int:
        """Take rows; answers their bytes."""
        columns: list[Sequence[str | None]] = list(zip(*rows, strict=True))
        for at in self._free:
            columns[at] = _fields(columns[at])
        filled = [[cell or "" for cell in column] if None in column else column for column in columns]
        piece = ("\n".join(map(",".join, zip(*filled, strict=True))) + "\n").encode()
        self._pieces.append(piece)
        return len(piece)

    def cut(self) -> bytes:
        """The bytes of all that was added since the last cut, packed so that they can be read after those before."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        return self._pack(content)

    def finish(self) -> bytes:
        return b""


class JsonLines:
    """One JSON object a row, as PostgreSQL's `row_to_json` writes it: numbers with all digits, times in RFC 3339."""

    chunk_rows, chunk_bytes = CHUNK_ROWS, CHUNK_BYTES

    def __init__(self, columns: Sequence[Column], *, key: Sequence[str], pack: Callable[[bytes], bytes]) -> None:
        self.selects = ["row_to_json(q)::text", *(f"q.{quoted(name)}::text" for name in key)]
        self.key_at = tuple(range(1, len(self.selects)))
        self._pack = pack
        self._pieces: list[bytes] = []

    def begin(self) -> None:
        """There is no header."""

    def add(self, rows: Rows) -> int:
        """Take rows; answers their bytes."""
        lines: list[str] = [row[0] for row in rows]
        text = "\n".join(lines)
        if text.count("\n") >= len(lines):  # a json value keeps its author's line ends, between tokens only
            text = "\n".join(line.replace("\n", " ") if "\n" in line else line for line in lines)
        piece = f"{text}\n".encode()
        self._pieces.append(piece)
        return len(piece)

    def cut(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return self._pack(content)

    def finish(self) -> bytes:
        return b""


def _fields(column: Sequence[str | None]) -> Sequence[str | None]:
    """A text column with quotes where it needs them; looked at as a whole first, since most need none."""
    if "" not in column and not _special("".join([cell for cell in column if cell is not None])):
        return column
    return [None if cell is None else _field(cell) for cell in column]


def _field(text: str) -> str:
    if not text or _special(text):
        return '"' + text.replace('"', '""') + '"'
    return text
