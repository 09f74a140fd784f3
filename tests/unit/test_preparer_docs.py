"""docs/preparers.md says what the code does."""

import re
from pathlib import Path

import msgspec
import pytest

from haulier.catalogue import load_catalogue
from haulier.job import Request
from haulier.preparers import testing
from haulier.preparers.registry import Registry
from haulier.preparers.testing import DictStorage, FakeBuild, chosen, content

DOCS = (Path(__file__).parents[2] / "docs" / "preparers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["object", "archive", "fetch", "query", "simulate"])
def test_every_parameter_is_documented(name: str):
    section = re.search(rf"^### `{name}`\n(.*?)^##", DOCS, re.MULTILINE | re.DOTALL)
    assert section is not None
    documented = re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE)
    assert sorted(documented) == sorted(
        field.name for field in msgspec.structs.fields(Registry.installed().get(name).params)
    )


def test_the_example_catalogue_loads_and_fits_its_preparers(tmp_path: Path):
    example = re.search(r"```toml\n(\[\[rule\]\].*?)```", DOCS, re.DOTALL)
    assert example is not None
    (tmp_path / "catalogue.toml").write_text(example[1], encoding="utf-8")
    catalogue, registry = load_catalogue(str(tmp_path / "catalogue.toml")), Registry.installed()
    assert registry.params(catalogue.recipe(Request(file_id=70_001)))
    assert registry.params(catalogue.recipe(Request(file_id=80_000))).url == "https://origin.example/files/00080000.bin"


async def test_the_example_preparer_and_callable_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    callable_example, preparer_example = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    (tmp_path / "documented_rules.py").write_text(callable_example, encoding="utf-8")
    (tmp_path / "documented_words.py").write_text(preparer_example, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from documented_words import PREPARER

    catalogue = load_catalogue("documented_rules:recipe")
    assert catalogue.recipe(Request(file_id=70_001)).file_name == "odd.bin"
    assert catalogue.recipe(Request(file_id=70_000)).preparer == "object"
    storage = DictStorage({"a": b"one two"})
    build = FakeBuild(PREPARER.params(key="a"), request_params=chosen(PREPARER.request_params, {}), storage=storage)
    assert await content(await PREPARER.prepare(build)) == b"2 words\n"


def test_the_testing_tools_are_documented():
    table = re.findall(r"^\| `(\w+)\(", DOCS, re.MULTILINE)
    assert sorted(table) == sorted(set(testing.__all__) - {"MODIFIED"})
