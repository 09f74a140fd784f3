"""Reading the settings from the environment, once, at start."""

import os
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec

from haulier.errors import ConfigurationError
from haulier.settings.checks import inconsistencies
from haulier.settings.fields import Settings, variable
from haulier.settings.secret import Secret


def load(environ: Mapping[str, str] | None = None, *, need: tuple[str, ...] = (), **overrides: Any) -> Settings:
    """Settings from `environ` (default: the process's), with `overrides` (None values ignored) on top.

    `need` names fields that this process cannot do without. Raises ConfigurationError that names each wrong variable.
    """
    environ = os.environ if environ is None else environ
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    raw: dict[str, Any] = {
        name: environ[variable(name)] for name in fields if environ.get(variable(name), "").strip() != ""
    }
    raw |= {name: value for name, value in overrides.items() if value is not None}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if field.name in raw:
            try:
                values[field.name] = msgspec.convert(raw[field.name], field.type, strict=False, dec_hook=_decode)
            except msgspec.ValidationError as error:
                problems.append(f"{variable(field.name)}: {_plain(str(error), field.type)}")
    settings = Settings(**values)
    problems += [f"{variable(name)}: {text}" for name, text in inconsistencies(settings, need)]
    if problems:
        raise ConfigurationError(problems="\n".join(problems))
    return settings


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return value if isinstance(value, Secret) else Secret(str(value))
    raise NotImplementedError(kind)


_KINDS = {"int": "must be a whole number", "float": "must be a number", "bool": "must be true or false"}


def _plain(message: str, annotated: Any) -> str:
    """msgspec's sentence without its Python words: `Expected `int`, got `str`` is `must be a whole number`."""
    choices = get_args(annotated)[0]
    if get_origin(choices) is Literal:
        return f"must be one of {', '.join(get_args(choices))}"
    kind = re.fullmatch(r"Expected `(\w+)`, got `str`", message)
    if kind and kind[1] in _KINDS:
        return _KINDS[kind[1]]
    return re.sub(r"^Expected (?:`(?:int|float|str)` )?", "must be ", message).replace("`", "")
