"""What a parameter may be, in words for people, from its JSON Schema. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

Json = Mapping[str, Any]

ANYTHING = "any JSON value"
SOME_KEY = "/*"  # in a pointer: whatever the key is
# Formats whose name is not how people call them.
_FORMATS = {
    "date-time": "a date and time like 2026-01-31T12:00:00Z",
    "date": "a date like 2026-01-31",
    "uuid": "a UUID",
}
# Patterns of ours that are shorter said than shown.
_PATTERNS = {
    r"^[^\x00-\x1f\x7f]*$": " without control characters",
    r"^[^\x00-\x1f\x7f]+$": " without control characters",
    r"^[0-9]{0,14}$": " of up to 14 digits",
}
_WITHOUT_BOUNDS = {"boolean": "true or false", "null": "null", "object": "an object"}


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: `words` says what it may be, `default` is its JSON text, or None for a required one."""

    name: str
    words: str
    default: str | None
    description: str


def parameters(whole: Json) -> list[Parameter]:
    """The parameters that the JSON Schema of a Struct type has, in order."""
    own = _resolved(whole, whole)
    required: Sequence[str] = own.get("required", ())
    properties: Mapping[str, Json] = own.get("properties", {})
    return [
        Parameter(
            name=name,
            words=words(schema, whole),
            default=None if name in required else _default(schema),
            description=schema.get("description", ""),
        )
        for name, schema in properties.items()
    ]


def words(schema: Json, whole: Json) -> str:
    """What fits `schema`: `a whole number from 1 to 12`. `whole` is the document that holds its `$defs`."""
    schema = _resolved(schema, whole)
    if "anyOf" in schema or "enum" in schema:
        return _alternatives(_choices(schema, whole))
    if "const" in schema:
        return _json(schema["const"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return f"a {'whole ' if kind == 'integer' else ''}number{_range(schema)}"
    if kind == "string":
        return _text(schema)
    if kind == "array":
        return f"a list{_count(schema, 'minItems', 'maxItems', 'item')}, each {words(schema.get('items', {}), whole)}"
    return _WITHOUT_BOUNDS.get(str(kind), ANYTHING)


def _choices(schema: Json, whole: Json) -> list[str]:
    """What fits any of the alternatives, those of an alternative itself included: one list, with one `or`."""
    schema = _resolved(schema, whole)
    if "anyOf" in schema:
        return [choice for each in schema["anyOf"] for choice in _choices(each, whole)]
    if "enum" in schema:
        return [_json(each) if not isinstance(each, str) else each for each in schema["enum"]]
    return [words(schema, whole)]


def words_at(shape: type[msgspec.Struct], pointer: str) -> str:
    """What fits at a JSON pointer below `shape`, or '' when that is not known."""
    whole = msgspec.json.schema(shape)
    schema: Json = whole
    for step in pointer.split("/")[1:]:
        schema = _resolved(_without_null(_resolved(schema, whole)), whole)
        properties: Mapping[str, Json] = schema.get("properties", {})
        found = properties.get(step) or (schema.get("items") if step.isdecimal() else None)
        if step == SOME_KEY[1:]:
            found = schema.get("additionalProperties")
        if not isinstance(found, Mapping):
            return ""
        schema = cast("Json", found)
    said = words(schema, whole)
    return "" if said == ANYTHING else said


def _resolved(schema: Json, whole: Json) -> Json:
    reference = schema.get("$ref")
    return whole["$defs"][reference.rpartition("/")[2]] if isinstance(reference, str) else schema


def _without_null(schema: Json) -> Json:
    """The only alternative of `X or null`."""
    others: list[Json] = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return others[0] if len(others) == 1 else schema


def _default(schema: Json) -> str:
    return _json(schema["default"]) if "default" in schema else "none"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _alternatives(those: Sequence[str]) -> str:
    if len(those) < 2:
        return "".join(those)
    return f"{', '.join(those[:-1])} or {those[-1]}"


def _range(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    bounds = [("minimum", "of at least"), ("exclusiveMinimum", "above"), ("maximum", "of at most")]
    bounds += [("exclusiveMaximum", "below"), ("multipleOf", "that is a multiple of")]
    said = [f"{word} {schema[key]}" for key, word in bounds if key in schema]
    return f" {' and '.join(said)}" if said else ""


def _text(schema: Json) -> str:
    name = str(schema.get("format", ""))
    if name:
        return _FORMATS.get(name, f"text of the format {name}")
    pattern = str(schema.get("pattern", ""))
    matching = _PATTERNS.get(pattern, f" that matches {pattern}" if pattern else "")
    return f"text{_count(schema, 'minLength', 'maxLength', 'character')}{matching}"


def _count(schema: Json, least: str, most: str, unit: str) -> str:
    low, high = schema.get(least), schema.get(most)
    if low and high is not None:
        return f" of {low} to {high} {unit}s"
    if high is not None:
        return f" of at most {high} {unit}{'' if high == 1 else 's'}"
    return f" of at least {low} {unit}{'' if low == 1 else 's'}" if low else ""
