"""Named SQL: a class lists the queries of one `queries/*.sql` file, with how many rows each answers.

    class JobQueries(QueryFile, file="jobs.sql"):
        job_by_id: One

A file holds `-- name: job_by_id :one`, a sentence, and one statement with `:parameters`. File and class are compared
when the class is made, so a query that is missing, extra or of another kind stops the program at import.
"""

import re
from importlib import resources
from typing import Any, ClassVar, Protocol, get_type_hints

_HEAD = re.compile(r"^-- name: (?P<name>\w+) :(?P<kind>one|many|exec)$", re.MULTILINE)
# A parameter is `:name`, but neither the cast `::type` nor a part of a word or a time.
_PARAMETER = re.compile(r"(?<![:\w]):(?P<name>[a-z_]\w*)")


class Row(Protocol):
    """A row: values by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


# asyncpg's own connections, and the proxies that its pool hands out.
Connection = Any


class Query:
    """One statement with named parameters."""

    kind: ClassVar[str]

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.parameters: list[str] = []
        self.sql = _PARAMETER.sub(self._number, text)

    def _number(self, match: re.Match[str]) -> str:
        if match["name"] not in self.parameters:
            self.parameters.append(match["name"])
        return f"${self.parameters.index(match['name']) + 1}"

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """`values` in the order of the statement; TypeError when one is missing or too many."""
        if values.keys() != set(self.parameters):
            raise TypeError(f"{self.name} takes {sorted(self.parameters)}, got {sorted(values)}")
        return [values[name] for name in self.parameters]


class One(Query):
    """A query that answers at most one row."""

    kind = "one"

    async def __call__(self, connection: Connection, /, **values: Any) -> Row | None:
        return await connection.fetchrow(self.sql, *self.arguments(values))


class Many(Query):
    """A query that answers rows."""

    kind = "many"

    async def __call__(self, connection: Connection, /, **values: Any) -> list[Row]:
        return await connection.fetch(self.sql, *self.arguments(values))


class Exec(Query):
    """A statement without an answer."""

    kind = "exec"

    async def __call__(self, connection: Connection, /, **values: Any) -> None:
        await connection.execute(self.sql, *self.arguments(values))


class QueryFile:
    """Base of a class whose annotations name the queries of one file."""

    def __init_subclass__(cls, *, file: str) -> None:
        texts = read_queries(resources.files("haulier.ledger").joinpath("queries", file).read_text("utf-8"))
        declared: dict[str, type[Query]] = get_type_hints(cls)
        if {name: kind.kind for name, kind in declared.items()} != {name: kind for name, (kind, _) in texts.items()}:
            raise TypeError(f"{cls.__name__} and {file} do not list the same queries")
        for name, kind in declared.items():
            setattr(cls, name, kind(name, texts[name][1]))


def read_queries(text: str) -> dict[str, tuple[str, str]]:
    """`{name: (kind, statement)}` of a query file; comments and the closing semicolon are dropped."""
    heads = list(_HEAD.finditer(text))
    found: dict[str, tuple[str, str]] = {}
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : after.start() if after else len(text)]
        statement = "\n".join(line for line in body.splitlines() if not line.lstrip().startswith("--"))
        if head["name"] in found:
            raise TypeError(f"two queries are named {head['name']}")
        found[head["name"]] = (head["kind"], statement.strip().rstrip(";"))
    return found
