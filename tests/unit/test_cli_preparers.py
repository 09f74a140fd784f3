"""`haulier preparers` and `preparers show`."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from haulier.cli.program import app
from haulier.preparers import Preparer
from haulier.preparers.registry import Package, Registry


class Rule(msgspec.Struct, frozen=True):
    """What a rule
    says."""

    columns: int = 4
    wide: bool = False


class Choice(msgspec.Struct, frozen=True):
    size: int


class WideChoice(msgspec.Struct, frozen=True):
    width: int


async def never(_: Any) -> Any:
    raise AssertionError


def by_rule(rule: Rule) -> type[msgspec.Struct]:
    return WideChoice if rule.wide else Choice


CATALOGUE = """
[[rule]]
ids = 70001
preparer = "by-rule"
params = {wide = true}
[[rule]]
ids = 70002
preparer = "by-rule"
params = {wide = 5}
[[rule]]
ids = 70003
preparer = "teleport"
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run the program where three preparers are installed and one is broken."""
    made = [
        Preparer(name="plain", params=Rule, prepare=never, description="Nothing to choose."),
        Preparer(name="sheet", params=Rule, prepare=never, request_params=Choice, version="3"),
        Preparer(name="by-rule", params=Rule, prepare=never, request_params=by_rule),
    ]
    packages = {name: Package("haulier-sheet", "0.2") for name in ("plain", "sheet", "by-rule", "broken")}
    registry = Registry(made, {"broken": "haulier-sheet: ImportError: no\nmodule"}, packages=packages)
    monkeypatch.setattr(Registry, "installed", lambda: registry)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text(CATALOGUE)
    monkeypatch.setenv("HAULIER_CATALOGUE", "rules.toml")
    return lambda *args: CliRunner().invoke(app, ["preparers", *args])


def test_all_are_listed_with_what_a_request_may_choose_and_what_is_broken(run: Any) -> None:
    done = run()
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["name", "broken", "by-rule", "plain", "sheet"]
    assert "cannot be loaded: ImportError: no module" in done.stdout
    assert lines[-1][:5] == ["sheet", "3", "haulier-sheet", "0.2", "size"]
    assert "depends on the rule" in done.stdout
    assert "Reinstall or remove the package of broken" in done.stderr


def test_the_list_as_json_has_the_schemas(run: Any) -> None:
    found = {each["name"]: each for each in json.loads(run("--json").stdout)}
    assert found["broken"] == {
        "name": "broken",
        "package": "haulier-sheet",
        "package_version": "0.2",
        "broken": "ImportError: no\nmodule",
    }
    assert found["plain"]["request_params"] is None
    assert found["by-rule"]["request_params"] == "depends on the rule"
    assert found["sheet"]["request_params"]["$defs"]["Choice"]["required"] == ["size"]
    assert found["sheet"]["params"]["$defs"]["Rule"]["description"] == "What a rule\nsays."


def test_one_is_shown_with_its_parameters(run: Any) -> None:
    shown = run("show", "sheet").stdout
    rule, _, request = shown.partition("Params of a request")
    assert [line.split()[:3] for line in rule.splitlines() if line.startswith("  ")][-2:] == [
        ["columns", "4", "a"],
        ["wide", "false", "true"],
    ]
    assert "size  required  a whole number" in request


def test_what_depends_on_the_rule_is_shown_for_a_file(run: Any) -> None:
    assert "haulier preparers show by-rule --file FILE_ID" in run("show", "by-rule").stdout
    assert "width  required  a whole number" in run("show", "--file", "70001").stdout
    found = json.loads(run("show", "by-rule", "--file", "70001", "--json").stdout)
    assert (found["file_id"], list(found["request_params"]["$defs"])) == (70_001, ["WideChoice"])


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (["show"], 2, "name a preparer"),
        (["show", "nothing"], 1, "there are by-rule, plain, sheet. [unknown_preparer]"),
        (["show", "broken"], 1, "broken is installed but cannot be loaded: haulier-sheet: ImportError"),
        (["show", "plain", "--file", "70001"], 1, "File 70001 is made by by-rule, not by plain."),
        (["show", "--file", "70002"], 1, "[bad_recipe]"),
        (["show", "--file", "70003"], 1, "No preparer named teleport is installed here"),
        (["--json", "show"], 2, "options stand behind `show`"),
    ],
)
def test_what_cannot_be_shown_is_told(run: Any, args: list[str], code: int, sentence: str) -> None:
    done = run(*args)
    assert (done.exit_code, sentence in " ".join(done.stderr.split())) == (code, True), done.stderr
