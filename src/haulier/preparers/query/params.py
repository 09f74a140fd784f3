"""A query rule's parameters, and from them the type of what a client may choose."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from haulier.preparers.query.sqltext import bound

Format = Literal["csv", "jsonl", "parquet"]
Compression = Literal["none", "gzip", "zstd"]
Kind = Literal["integer", "number", "text", "boolean", "date", "timestamp", "uuid"]

SQL_TYPES: Mapping[str, str] = {
    "integer": "bigint",
    "number": "numeric",
    "text": "text",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
    "uuid": "uuid",
}
_PYTHON_TYPES: Mapping[str, Any] = {
    "integer": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "number": Annotated[Decimal, Meta(extra_json_schema={"type": "number"})],
    "text": Annotated[str, Meta(pattern=r"^[^\x00]*$")],  # PostgreSQL's text cannot hold NUL
    "boolean": bool,
    "date": date,
    "timestamp": Annotated[datetime, Meta(tz=True)],
    "uuid": UUID,
}
FILE_ID = "file_id"
_FIELD = "p_"  # struct fields cannot be called `from` or `class`, parameters can


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that clients choose. Without `default` it is required, or NULL when `required` is false."""

    type: Kind
    default: Any = UNSET
    required: bool = True
    description: str = ""


class QueryParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which query, and how its rows are written."""

    sql: Annotated[str, Meta(description="One SELECT, with parameters as :name. :file_id is always there.")]
    parameters: Annotated[
        dict[str, Kind | Parameter],
        Meta(description='What clients choose: since = "date", or { type, default, required, description }.'),
    ] = field(default_factory=dict[str, Kind | Parameter])
    format: Annotated[Format, Meta(description="csv, jsonl or parquet.")] = "csv"
    compression: Annotated[
        Compression | None, Meta(description="none, gzip or zstd; inside the file for parquet, whose default is zstd.")
    ] = None
    choices: Annotated[
        tuple[Literal["format", "compression"], ...], Meta(description="Which of the two clients may choose.")
    ] = ()
    key: Annotated[
        str | tuple[str, ...],
        Meta(description="Columns that order the rows, unique and never NULL: an interrupted build then goes on."),
    ] = ()
    statement_timeout_s: Annotated[
        float, Meta(description="Longest until the first rows, and from one batch to the next.", gt=0, le=86_400)
    ] = 600.0
    database: Annotated[
        str, Meta(description="A name of HAULIER_QUERY_DATABASES; default HAULIER_QUERY_DATABASE_URL.")
    ] = ""
    decimals: Annotated[
        dict[str, tuple[Annotated[int, Meta(ge=1, le=76)], Annotated[int, Meta(ge=0, le=76)]]],
        Meta(description="For parquet: precision and scale of numeric columns; others become text."),
    ] = field(default_factory=dict[str, tuple[int, int]])

    def __post_init__(self) -> None:
        for name in self.parameters:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name == FILE_ID:
                raise ValueError(f"`parameters` must not hold {name!r}: use lower case letters, digits and _")
            if name in self.choices:
                raise ValueError(f"{name!r} is both a parameter and one of `choices`")
            _checked_default(name, self.parameter(name))
        for column, (precision, scale) in self.decimals.items():
            if scale > precision:
                raise ValueError(f"`decimals` of {column!r}: the scale is larger than the precision")
        bound(self.sql, self.sql_types)

    def parameter(self, name: str) -> Parameter:
        """The parameter `name`, written out."""
        one = self.parameters[name]
        return one if isinstance(one, Parameter) else Parameter(type=one)

    @property
    def sql_types(self) -> dict[str, str]:
        """The SQL type of everything that `sql` may name."""
        return {name: SQL_TYPES[self.parameter(name).type] for name in self.parameters} | {FILE_ID: "bigint"}

    @property
    def key_columns(self) -> tuple[str, ...]:
        return (self.key,) if isinstance(self.key, str) else self.key


def request_params(params: QueryParams) -> type[msgspec.Struct]:
    """The type of what a client may choose for a rule: its parameters, and what `choices` lists."""
    return _struct(msgspec.json.encode((params.parameters, params.choices)))


def values(params: QueryParams, chosen: msgspec.Struct) -> dict[str, Any]:
    """The value of each parameter, by its name."""
    return {name: getattr(chosen, _FIELD + name) for name in params.parameters}


@lru_cache(maxsize=1_000)
def _struct(encoded: bytes) -> type[msgspec.Struct]:
    parameters, choices = msgspec.json.decode(encoded, type=tuple[dict[str, Kind | Parameter], tuple[str, ...]])
    fields: list[tuple[str, Any, Any]] = []
    for name, one in parameters.items():
        parameter = one if isinstance(one, Parameter) else Parameter(type=one)
        annotated: Any = Annotated[_PYTHON_TYPES[parameter.type], Meta(description=parameter.description)]
        if parameter.default is not UNSET:
            fields.append((_FIELD + name, annotated, _checked_default(name, parameter)))
        elif parameter.required:
            fields.append((_FIELD + name, annotated, msgspec.NODEFAULT))
        else:
            fields.append((_FIELD + name, annotated | None, None))
    kinds: dict[str, Any] = {"format": Format, "compression": Compression}
    fields += [(choice, kinds[choice] | UnsetType, UNSET) for choice in choices]
    return msgspec.defstruct(
        "QueryChoices",
        fields,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        rename=lambda name: name.removeprefix(_FIELD),
    )


def _checked_default(name: str, parameter: Parameter) -> Any:
    if parameter.default is UNSET:
        return UNSET
    try:
        return msgspec.convert(parameter.default, _PYTHON_TYPES[parameter.type])
    except msgspec.ValidationError as error:
        raise ValueError(f"the default of the parameter {name!r} is no {parameter.type}: {error}") from error
