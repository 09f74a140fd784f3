"""The columns of a query's result: names made unique, and the SQL around the query that reads them."""

import zlib
from collections.abc import Iterable, Sequence

import msgspec

from haulier.errors import BadRecipe

MAX_NAME_BYTES = 63  # PostgreSQL cuts longer names
# Types whose text form comes back as the same value, and whose order is total.
KEY_TYPES = frozenset(
    {"int2", "int4", "int8", "numeric", "text", "varchar", "uuid", "date", "timestamp", "timestamptz"}
)


class Column(msgspec.Struct, frozen=True):
    """`name` is unique in the result; `type` is PostgreSQL's (`int4`, `timestamptz`), `int4[]` for an array."""

    name: str
    type: str


def unique(found: Iterable[Column]) -> tuple[Column, ...]:
    """The columns, the second `id` called `id_2`. Raises BadRecipe when there are none."""
    columns: list[Column] = []
    taken: set[str] = set()
    for column in found:
        name, number = column.name, 1
        while name in taken:
            number += 1
            name = _cut(column.name, f"_{number}")
        taken.add(name)
        columns.append(Column(name, column.type))
    if not columns:
        raise BadRecipe(reason="query: it has no columns")
    return tuple(columns)


def check_key(key: Sequence[str], columns: Sequence[Column]) -> None:
    """Raise BadRecipe unless every key column is there and can be continued behind."""
    types = {column.name: column.type for column in columns}
    for name in key:
        if name not in types:
            raise BadRecipe(reason=f"query: its key {name} is not a column of the result")
        if types[name] not in KEY_TYPES:
            raise BadRecipe(reason=f"query: its key {name} is of type {types[name]}, which cannot be continued")


def reading(sql: str, columns: Sequence[Column], selects: Sequence[str], *, key: Sequence[str]) -> str:
    """The query that reads `selects` (over `q`) of the rows of `sql`, in the order of `key` if there is one."""
    names = ", ".join(quoted(column.name) for column in columns)
    order = f" order by {', '.join(_of(name) for name in key)}" if key else ""
    return f"select {', '.join(selects)} from (\n{sql}\n) as q({names}){order}"  # noqa: S608 # the rule's SQL, and names in quotes


def behind(sql: str, columns: Sequence[Column], *, key: Sequence[str], first: int) -> str:
    """`sql` without the rows up to a key that is bound as text from `$first` on."""
    types = {column.name: column.type for column in columns}
    names = ", ".join(quoted(column.name) for column in columns)
    left = ", ".join(_of(name) for name in key)
    right = ", ".join(f"${number}::text::{types[name]}" for number, name in enumerate(key, start=first))
    return f"select * from (\n{sql}\n) as q({names}) where ({left}) > ({right})"  # noqa: S608 # values are bound


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def checksum(columns: Sequence[Column]) -> int:
    """Another number for other columns: rows of two shapes never meet in one file."""
    return zlib.crc32(msgspec.json.encode(columns))


def _of(name: str) -> str:
    return f"q.{quoted(name)}"


def _cut(name: str, suffix: str) -> str:
    return name.encode()[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore") + suffix
