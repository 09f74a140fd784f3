"""What a client chose, against the type that its file's preparer lets it choose from. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT

from haulier.errors import InvalidRequest
from haulier.preparers.describing import SOME_KEY, words_at

POINTER = "/params"
_MAX_MESSAGE = 200
_MAX_PROBLEMS = 20
_NOUNS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_SOME_KEY = "[...]"  # how msgspec says a key of a dict
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_GOT = re.compile(r", got `(?P<kind>\w+)`")
_FIELD = re.compile(r"Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`")
_FAULTS = {"missing required": "needs the field", "contains unknown": "has an unknown field"}
_IN_WORDS = re.compile("must be|needs the field|has an unknown field")

Problem = tuple[str, str]


def chosen(shape: type[msgspec.Struct], given: Mapping[str, Any]) -> msgspec.Struct:
    """`given` as `shape`. Raises InvalidRequest that names each wrong, unknown or missing one, and what fits."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    problems: list[Problem] = [(f"{POINTER}/{_escaped(key)}", _unknown(fields)) for key in given if key not in fields]
    for name, field in fields.items():
        if name in given:
            problems += _problems(given[name], field.type, shape, f"/{name}")
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            problems.append((f"{POINTER}/{name}", f"is required: {_words(shape, f'/{name}') or 'give a value'}"))
    if problems:
        raise InvalidRequest(*problems[:_MAX_PROBLEMS])
    try:
        return msgspec.convert(given, shape, str_keys=True)
    except msgspec.ValidationError as error:  # what only the parameters together can violate
        pointer, message = told(error, shape)
        raise InvalidRequest((POINTER + pointer, message)) from None


def plain(choice: msgspec.Struct) -> dict[str, Any]:
    """`choice` as JSON-able values without those that are the default: the one form of all spellings of a choice."""
    told: dict[str, Any] = msgspec.to_builtins(choice, str_keys=True, order="deterministic")
    for field in msgspec.structs.fields(choice):
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if getattr(choice, field.name) == default:
            told.pop(field.encode_name, None)
    return told


def _problems(value: Any, kind: Any, shape: type[msgspec.Struct], where: str) -> list[Problem]:
    try:
        msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        pointer, message = told(error, shape, where=where)
        return [((POINTER + pointer)[:_MAX_MESSAGE], message)]
    return []


def told(error: msgspec.ValidationError, shape: type[msgspec.Struct], *, where: str = "") -> Problem:
    """msgspec's message as (JSON pointer, sentence), with what fits there instead of Python's names for it.

    The pointer starts at `shape`; `where` is the way from there to what was converted.
    """
    match = _PATH.search(str(error))
    whole = where + _steps(match["path"] if match else "")
    pointer, some_key, _ = whole.partition(SOME_KEY)
    message = _in_words(_PATH.sub("", str(error)), fits=_words(shape, whole))
    if some_key:
        message = f"has a value that {message if _IN_WORDS.match(message) else f'does not fit: {message}'}"
    return pointer[:_MAX_MESSAGE], message[:_MAX_MESSAGE]


def _steps(path: str) -> str:
    """The JSON pointer that msgspec's path is, without its root."""
    return re.sub(r"[.\[]", "/", path.replace(_SOME_KEY, SOME_KEY)).replace("]", "")


def _in_words(message: str, *, fits: str) -> str:
    if field := _FIELD.fullmatch(message):
        return f"{_FAULTS[field['fault']]} {field['name']}"
    if not fits or not message.startswith(("Expected ", "Invalid ")):
        return message.replace("`", "")
    got = _GOT.search(message)
    return f"must be {fits}" + (f"; it is {_NOUNS.get(got['kind'], got['kind'])}" if got else "")


def _words(shape: type[msgspec.Struct], pointer: str) -> str:
    try:
        return words_at(shape, pointer)
    except TypeError:  # a type that JSON Schema cannot say
        return ""


def _unknown(fields: Mapping[str, Any]) -> str:
    return f"is unknown (this file takes {', '.join(fields) or 'no params'})"


def _escaped(key: str) -> str:
    return key[:_MAX_MESSAGE].replace("~", "~0").replace("/", "~1")
