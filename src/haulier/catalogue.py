"""What a file_id is: which preparer makes it, from what, and what it is called.

Without configuration, file 70000 is the object `downloads/70000.zip`. A TOML file adds rules, a plug-in's callable can
decide freely; what neither knows falls back to that default. The format is described in docs/preparers.md.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import Any, Protocol

import msgspec

from haulier.errors import BadRecipe, ConfigurationError, HaulierError
from haulier.job import MAX_FILE_ID, MIN_FILE_ID, Request

CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
DEFAULT_KEY = "downloads/{file_id}.zip"
DEFAULT_NAME = "{file_id}.zip"
BATCH_NAME = "files-{count}.zip"
RULE_KEYS = ("ids", "preparer", "file_name", "params")
# Nothing is written into these: a value that stands in SQL could be SQL.
WITHOUT_PLACEHOLDERS = frozenset({"params.sql"})

Ids = tuple[tuple[int, int], ...]


class Recipe(msgspec.Struct, frozen=True):
    """How a request is answered. `params` is not validated yet: that is the registry's part. `file_name` may be ''."""

    preparer: str
    params: dict[str, Any]
    file_name: str = ""


class Catalogue(Protocol):
    """The one question that the house asks about files."""

    def recipe(self, request: Request) -> Recipe:
        """How to make what `request` asks for. Does no I/O; raises BadRecipe when a plug-in fails."""
        ...


class Rule(msgspec.Struct, frozen=True):
    """One `[[rule]]`: its ids, first to last inclusive, and the recipe with `{file_id}` still in its strings."""

    ids: Ids
    recipe: Recipe

    def matches(self, file_id: int) -> bool:
        return any(first <= file_id <= last for first, last in self.ids)

    def for_file(self, file_id: int) -> Recipe:
        return Recipe(
            preparer=self.recipe.preparer,
            params=_filled(self.recipe.params, file_id),
            file_name=self.recipe.file_name.format(file_id=file_id),
        )


class RuleCatalogue:
    """Rules in order, the first that matches wins; files without a rule are objects, several files an archive."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def recipe(self, request: Request) -> Recipe:
        if request.file_id is None:
            return _batch(request.file_ids)
        for rule in self._rules:
            if rule.matches(request.file_id):
                return rule.for_file(request.file_id)
        return _object(request.file_id)


class PluginCatalogue:
    """Asks a callable first; where it answers None, the default applies."""

    def __init__(self, ask: Callable[[Request], object], *, name: str) -> None:
        self._ask = ask
        self._name = name
        self._otherwise = RuleCatalogue()

    def recipe(self, request: Request) -> Recipe:
        try:
            answer = self._ask(request)
        except HaulierError:
            raise
        except Exception as error:
            raise BadRecipe(reason=f"{self._name} raised {type(error).__name__}") from error
        if answer is None:
            return self._otherwise.recipe(request)
        if not isinstance(answer, Recipe):
            raise BadRecipe(reason=f"{self._name} returned {type(answer).__name__} instead of a Recipe or None")
        return answer


def load_catalogue(setting: str) -> Catalogue:
    """The catalogue that HAULIER_CATALOGUE names: '' (the default), `module:callable`, or the path of a TOML file.

    Raises ConfigurationError that names the file, each wrong rule by its number from 1, and what to do.
    """
    if not setting:
        return RuleCatalogue()
    if CALLABLE.fullmatch(setting) and not Path(setting).exists():
        return PluginCatalogue(_imported(setting), name=setting)
    return RuleCatalogue(_rules(setting))


def parse_ids(text: str) -> tuple[int, int]:
    """First and last id of `70001` or `70000-79999`. Raises ValueError with a sentence for the file's author."""
    match = re.fullmatch(r"\s*([0-9]{1,12})\s*(?:-\s*([0-9]{1,12})\s*)?", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is neither an id like 70001 nor a range like 70000-79999")
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise ValueError(f"the range {text!r} ends before it begins")
    if first < MIN_FILE_ID or last > MAX_FILE_ID:
        raise ValueError(f"{text!r} is not within {MIN_FILE_ID} to {MAX_FILE_ID}")
    return first, last


def _object(file_id: int) -> Recipe:
    return Recipe(
        preparer="object",
        params={"key": DEFAULT_KEY.format(file_id=file_id)},
        file_name=DEFAULT_NAME.format(file_id=file_id),
    )


def _batch(file_ids: Sequence[int]) -> Recipe:
    return Recipe(
        preparer="archive",
        params={"file_ids": list(file_ids)},
        file_name=BATCH_NAME.format(count=len(file_ids)),
    )


def _imported(setting: str) -> Callable[[Request], object]:
    module, _, path = setting.partition(":")
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise ConfigurationError(problems=f"catalogue {setting}: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ConfigurationError(problems=f"catalogue {setting}: is not callable; name a function of a Request")
    return found


def _rules(path: str) -> list[Rule]:
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(problems=f"catalogue {path}: {error}") from error
    problems = [f"unknown key {key!r}; the file has only [[rule]] tables" for key in document if key != "rule"]
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        problems.append("rule: write [[rule]] with double brackets, once for each rule")
        tables = []
    rules: list[Rule] = []
    for number, table in enumerate(tables, start=1):
        found = _rule_problems(table)
        problems += [f"rule {number}: {problem}" for problem in found]
        if not found:
            rules.append(_rule(table))
    if problems:
        raise ConfigurationError(problems="\n".join(f"catalogue {path}: {problem}" for problem in problems))
    return rules


def _rule(table: Mapping[str, Any]) -> Rule:
    recipe = Recipe(preparer=table["preparer"], params=table.get("params", {}), file_name=table.get("file_name", ""))
    return Rule(ids=tuple(parse_ids(text) for text in _id_texts(table["ids"])), recipe=recipe)


def _rule_problems(table: Any) -> list[str]:
    if not isinstance(table, dict):
        return ["is not a table; write [[rule]]"]
    problems = [f"unknown key {key!r}; known are {', '.join(RULE_KEYS)}" for key in table if key not in RULE_KEYS]
    problems += _ids_problems(table.get("ids"))
    if not isinstance(table.get("preparer"), str) or not table["preparer"]:
        problems.append('preparer is missing; name one, as in preparer = "archive"')
    if not isinstance(table.get("file_name", ""), str):
        problems.append("file_name is not a string")
    if not isinstance(table.get("params", {}), dict):
        problems.append("params is not a table; write [rule.params]")
    texts = _texts({"file_name": table.get("file_name", ""), "params": table.get("params", {})}, "")
    problems += [problem for where, text in texts for problem in _placeholder_problems(where, text)]
    return problems


def _ids_problems(ids: Any) -> list[str]:
    texts = _id_texts(ids)
    if not texts:
        return ['ids is missing; give an id, a range or a list of them, as in ids = "70000-79999"']
    problems: list[str] = []
    for text in texts:
        try:
            parse_ids(text)
        except ValueError as error:
            problems.append(f"ids: {error}")
    return problems


def _id_texts(ids: Any) -> list[str]:
    """Ids as written, numbers among them as text."""
    listed: list[Any] = [] if ids is None else ids if isinstance(ids, list) else [ids]
    return [str(one) for one in listed]


def _texts(value: Any, where: str) -> list[tuple[str, str]]:
    """All strings in nested tables and lists, each with its place: `params.keys[2]`."""
    if isinstance(value, str):
        return [(where, value)]
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _texts(one, f"{where}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [found for at, one in enumerate(value) for found in _texts(one, f"{where}[{at}]")]
    return []


def _placeholder_problems(where: str, text: str) -> list[str]:
    try:
        fields = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    except ValueError:
        return [f"{where}: a brace without its pair; write {{{{ or }}}} for a brace itself"]
    unknown = sorted(fields - {"file_id"})
    if unknown:
        return [f"{where}: unknown placeholder {{{unknown[0]}}}; the only one is {{file_id}}"]
    if fields and where in WITHOUT_PLACEHOLDERS:
        return [f"{where}: {{file_id}} is not filled in here; write the parameter :file_id, which is bound"]
    try:
        text.format(file_id=MIN_FILE_ID)
    except (ValueError, LookupError) as error:
        return [f"{where}: {error}"]
    return []


def _filled(value: Any, file_id: int) -> Any:
    """`value` with {file_id} replaced in all its strings; keys stay."""
    if isinstance(value, str):
        return value.format(file_id=file_id)
    if isinstance(value, dict):
        return {key: _filled(one, file_id) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, file_id) for one in value]
    return value
