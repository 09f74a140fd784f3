"""What a person and a program see of preparers."""

import inspect
import sys
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from haulier.cli.failures import say
from haulier.cli.printing import print_table, table
from haulier.cli.words import one_line
from haulier.preparers.describing import Parameter, parameters
from haulier.preparers.port import Preparer
from haulier.preparers.registry import Package, Registry

BY_RULE = "depends on the rule"

Schema = dict[str, Any]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """A preparer as JSON: `params` and `request_params` are JSON Schemas; null: a request chooses nothing.

    `broken` says why it cannot be loaded; the other facts are left out then.
    """

    name: str
    package: str
    package_version: str
    version: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    file_id: int | UnsetType = UNSET
    params: Schema | UnsetType = UNSET
    request_params: Schema | Literal["depends on the rule"] | UnsetType | None = UNSET
    broken: str | UnsetType = UNSET


def listed(registry: Registry) -> list[Told]:
    """All that is installed, by name."""
    found = [told(registry, preparer) for preparer in registry]
    for name, why in registry.broken.items():
        package = _package(registry, name)
        reason = why.removeprefix(f"{package.name}: ")
        found.append(Told(name, package.name, package.version, broken=reason))
    return sorted(found, key=lambda each: each.name)


def told(registry: Registry, preparer: Preparer) -> Told:
    """One that can be loaded."""
    package, choices = _package(registry, preparer.name), preparer.request_params
    return Told(
        name=preparer.name,
        package=package.name,
        package_version=package.version,
        version=preparer.version,
        description=preparer.description,
        params=schema_of(preparer.params),
        request_params=schema_of(choices) if isinstance(choices, type) else choices and BY_RULE,
    )


def schema_of(shape: type[msgspec.Struct]) -> Schema:
    """The JSON Schema of a Struct type, with its docstring in one piece."""
    try:
        schema = msgspec.json.schema(shape)
    except TypeError as error:
        return {"$comment": f"JSON Schema cannot say this type: {error}"}
    for definition in schema.get("$defs", {}).values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return schema


def print_list(found: list[Told]) -> None:
    """A line for each; what is broken is said on stderr too."""
    lines = table("name", "version", "package", "a request may choose", "description", folds=("description",))
    for each in found:
        package = f"{each.package} {each.package_version}".strip()
        if each.broken is not UNSET:
            lines.add_row(each.name, "", package, "", f"cannot be loaded: {one_line(each.broken)}")
            continue
        lines.add_row(each.name, each.version or "", package, _choices(each), one_line(each.description or ""))
    print_table(lines)
    broken = [each.name for each in found if each.broken is not UNSET]
    if broken:
        say(f"Reinstall or remove the package of {', '.join(broken)}: their files fail with unknown_preparer.")


def print_told(found: Told) -> None:
    """Its facts, then a table for the rule and one for the request."""
    facts = [
        ("preparer", found.name),
        ("version", found.version or ""),
        ("package", f"{found.package} {found.package_version}".strip()),
        ("", one_line(found.description or "")),
    ]
    if found.file_id is not UNSET:
        facts.append(("file", str(found.file_id)))
    for name, value in facts:
        sys.stdout.write(f"{name:<10}{value}\n")
    sys.stdout.flush()
    if found.file_id is UNSET:
        _print_parameters("Params of a catalogue rule", found.params or None)
    if found.request_params == BY_RULE:
        sys.stdout.write(
            "\nParams of a request depend on the rule: "
            f"`haulier preparers show {found.name} --file FILE_ID` shows those of a file.\n"
        )
    else:
        schema = found.request_params
        _print_parameters("Params of a request", schema if isinstance(schema, dict) else None)


def _print_parameters(title: str, schema: Schema | None) -> None:
    sys.stdout.write(f"\n{title}{'' if schema else ': none'}\n")
    sys.stdout.flush()
    if schema is None:
        return
    if "$comment" in schema:
        sys.stdout.write(f"{schema['$comment']}\n")
        return
    lines = table("  name", "default", "what fits", "meaning", folds=("what fits", "meaning"))
    for each in parameters(schema):
        lines.add_row(
            f"  {each.name}", "required" if each.default is None else each.default, each.words, each.description
        )
    print_table(lines)


def _choices(each: Told) -> str:
    if isinstance(each.request_params, dict):
        return ", ".join(parameter.name for parameter in _named(each.request_params))
    return BY_RULE if each.request_params == BY_RULE else ""


def _named(schema: Schema) -> list[Parameter]:
    return [] if "$comment" in schema else parameters(schema)


def _package(registry: Registry, name: str) -> Package:
    return registry.packages.get(name, Package(""))
