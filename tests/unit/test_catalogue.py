"""The catalogue: defaults, rules, plug-ins, and what it says about files that are wrong."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.catalogue import Recipe, load_catalogue, parse_ids
from haulier.errors import BadRecipe, ConfigurationError, SourceDenied
from haulier.job import MAX_FILE_ID, MIN_FILE_ID, Request

IDS = st.integers(MIN_FILE_ID, MAX_FILE_ID)


def written(folder: Path, text: str) -> str:
    path = folder / "catalogue.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_catalogue(written(folder, text))
    return caught.value.detail


def test_without_rules_a_file_is_an_object():
    assert load_catalogue("").recipe(Request(file_id=70_000)) == Recipe(
        preparer="object", params={"key": "downloads/70000.zip"}, file_name="70000.zip"
    )


def test_several_files_are_one_archive():
    assert load_catalogue("").recipe(Request(file_ids=(70_000, 70_001))) == Recipe(
        preparer="archive", params={"file_ids": [70_000, 70_001]}, file_name="files-2.zip"
    )


RULES = """
[[rule]]
ids = "70001"
preparer = "archive"
file_name = "photos-{file_id}.zip"
[rule.params]
prefix = "demo/photos/{file_id}/"

[[rule]]
ids = ["70001", "80000-89999", 95000]
preparer = "fetch"
[rule.params]
url = "https://example.org/{file_id:09d}?{{x}}"
max_bytes = 5
headers = { Authorization = "Bearer {file_id}" }
"""


def test_the_first_rule_that_matches_wins(tmp_path: Path):
    recipe = load_catalogue(written(tmp_path, RULES)).recipe(Request(file_id=70_001))
    assert recipe == Recipe(preparer="archive", params={"prefix": "demo/photos/70001/"}, file_name="photos-70001.zip")


def test_placeholders_are_filled_at_every_depth(tmp_path: Path):
    recipe = load_catalogue(written(tmp_path, RULES)).recipe(Request(file_id=95_000))
    assert recipe == Recipe(
        preparer="fetch",
        params={
            "url": "https://example.org/000095000?{x}",
            "max_bytes": 5,
            "headers": {"Authorization": "Bearer 95000"},
        },
    )


def test_a_file_without_a_rule_is_an_object(tmp_path: Path):
    assert load_catalogue(written(tmp_path, RULES)).recipe(Request(file_id=90_000)).preparer == "object"


@given(st.tuples(IDS, IDS).map(sorted))
def test_a_range_is_read_as_it_is_written(bounds: list[int]):
    first, last = bounds
    assert parse_ids(f"{first}-{last}") == (first, last)
    assert parse_ids(f" {first} - {last} ") == (first, last)
    assert parse_ids(str(first)) == (first, first)


@given(st.text())
def test_any_text_is_a_range_within_the_limits_or_a_value_error(text: str):
    try:
        first, last = parse_ids(text)
    except ValueError:
        return
    assert MIN_FILE_ID <= first <= last <= MAX_FILE_ID


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ('preparer = "object"', "rule 1: ids is missing"),
        ('ids = "70000"', "rule 1: preparer is missing"),
        ('ids = "80000-70000"\npreparer = "object"', "ends before it begins"),
        ('ids = "1-20000"\npreparer = "object"', "is not within 10000 to 100000000"),
        ('ids = "seven"\npreparer = "object"', "'seven' is neither an id like 70001 nor a range"),
        ('ids = true\npreparer = "object"', "'True' is neither an id"),
        ('ids = "70000"\npreparer = "object"\nfilename = "x"', "unknown key 'filename'; known are ids"),
        ('ids = "70000"\npreparer = "object"\nfile_name = 5', "file_name is not a string"),
        ('ids = "70000"\npreparer = "object"\nparams = "x"', "params is not a table"),
        ('ids = "70000"\npreparer = "object"\nfile_name = "{id}"', "file_name: unknown placeholder {id}"),
        ('ids = "70000"\npreparer = "object"\nparams.keys = ["a", "{file_id"]', "params.keys[1]: a brace without its"),
        ('ids = "70000"\npreparer = "object"\nfile_name = "{file_id.real}"', "unknown placeholder {file_id.real}"),
        ('ids = "70000"\npreparer = "object"\nfile_name = "{file_id:{x}}"', "file_name:"),
        ('ids = "70000"\npreparer = "object"\nfile_name = "{file_id:zz}"', "file_name:"),
        ('ids = "70000"\npreparer = "query"\nparams.sql = "select {file_id}"', "write the parameter :file_id"),
        ('ids = "70000"\npreparer = "query"\nparams.sql = "select {file_id:d}"', "write the parameter :file_id"),
    ],
)
def test_a_wrong_rule_is_named_with_what_to_do(tmp_path: Path, rule: str, sentence: str):
    assert sentence in problems(tmp_path, f"[[rule]]\n{rule}\n")


def test_all_problems_are_told_at_once_with_file_and_rule(tmp_path: Path):
    found = problems(tmp_path, 'rules = 1\n[[rule]]\nids = "70000"\n[[rule]]\npreparer = "object"\n').splitlines()
    assert len(found) == 3
    assert all(line.startswith(f"catalogue {tmp_path / 'catalogue.toml'}: ") for line in found)
    assert "rule 2" in found[2]


@pytest.mark.parametrize("text", ["[[rule", "[rule]\nids = 70000", 'rule = ["x"]'])
def test_what_is_not_a_list_of_rules_is_told(tmp_path: Path, text: str):
    assert "catalogue.toml: " in problems(tmp_path, text)


def test_a_file_that_is_missing_or_not_text_is_told(tmp_path: Path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.toml", "binary.toml"):
        with pytest.raises(ConfigurationError, match=name):
            load_catalogue(str(tmp_path / name))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("haulier_test_plugin")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_plug_in_decides_and_may_leave_it_to_the_default(plugin: ModuleType):
    own = Recipe(preparer="simulate", params={})
    plugin.ask = lambda request: own if request.file_id == 70_000 else None
    catalogue = load_catalogue("haulier_test_plugin:ask")
    assert catalogue.recipe(Request(file_id=70_000)) is own
    assert catalogue.recipe(Request(file_id=70_001)).preparer == "object"
    assert catalogue.recipe(Request(file_ids=(70_000,))).preparer == "archive"


def test_a_plug_in_that_fails_is_a_bad_recipe_without_its_inner_words(plugin: ModuleType):
    plugin.ask = lambda request: 1 / 0
    with pytest.raises(BadRecipe, match="haulier_test_plugin:ask raised ZeroDivisionError"):
        load_catalogue("haulier_test_plugin:ask").recipe(Request(file_id=70_000))


def test_a_plug_in_that_answers_something_else_is_a_bad_recipe(plugin: ModuleType):
    plugin.ask = lambda request: {"preparer": "object"}
    with pytest.raises(BadRecipe, match="returned dict instead of a Recipe"):
        load_catalogue("haulier_test_plugin:ask").recipe(Request(file_id=70_000))


def test_a_plug_in_may_raise_our_errors(plugin: ModuleType):
    def ask(request: Request) -> Recipe:
        raise SourceDenied(name="file")

    plugin.ask = ask
    with pytest.raises(SourceDenied):
        load_catalogue("haulier_test_plugin:ask").recipe(Request(file_id=70_000))


@pytest.mark.parametrize(
    "setting", ["haulier_nowhere:ask", "haulier.catalogue:nothing", "haulier.catalogue:DEFAULT_KEY"]
)
def test_a_plug_in_that_cannot_be_used_is_told_at_start(setting: str):
    with pytest.raises(ConfigurationError, match=setting):
        load_catalogue(setting)
