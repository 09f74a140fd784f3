"""The registry: what entry points give, and what it says about those that do not."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import msgspec
import pytest

from haulier.catalogue import Recipe
from haulier.errors import BadRecipe, ConfigurationError, UnknownPreparer
from haulier.preparers.object import ObjectParams
from haulier.preparers.registry import GROUP, Registry


def point(name: str, value: str, *, package: str = "haulier") -> EntryPoint:
    entry = EntryPoint(name=name, value=value, group=GROUP)
    return entry._for(SimpleNamespace(name=package))  # what importlib.metadata does when it reads a distribution


OBJECT = point("object", "haulier.preparers.object:PREPARER")


def test_the_built_in_preparers_are_installed():
    assert {preparer.name for preparer in Registry.installed()} >= {"object", "archive", "fetch", "simulate"}


def test_an_unknown_preparer_is_named():
    with pytest.raises(UnknownPreparer, match="teleport"):
        Registry.installed([OBJECT]).get("teleport")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("haulier.nowhere:PREPARER", "ModuleNotFoundError"),
        ("haulier.preparers.object:ObjectParams", "is not a haulier.preparers.Preparer"),
        ("haulier.preparers.object:PREPARER", "calls itself object"),
    ],
)
def test_a_broken_plug_in_leaves_the_others_working_and_says_why_when_used(
    value: str, reason: str, caplog: pytest.LogCaptureFixture
):
    registry = Registry.installed([OBJECT, point("report", value, package="haulier-report")])
    caplog.clear()
    with pytest.raises(UnknownPreparer):
        registry.get("report")
    assert reason in caplog.text
    assert "haulier-report" in registry.broken["report"]
    assert registry.get("object").name == "object"


def test_two_packages_with_the_same_name_are_both_named():
    points = [OBJECT, point("object", "other:PREPARER", package="haulier-other")]
    with pytest.raises(ConfigurationError, match="haulier and by haulier-other"):
        Registry.installed(points)


def test_params_become_the_preparers_type():
    recipe = Recipe(preparer="object", params={"key": "a"})
    assert Registry.installed([OBJECT]).params(recipe) == ObjectParams(key="a")


@pytest.mark.parametrize(
    ("preparer", "params", "sentence"),
    [
        ("object", {}, "missing required field `key`"),
        ("object", {"key": 1}, r"Expected `str`, got `int` - at `\$\.key`"),
        ("object", {"key": "a", "keys": []}, "unknown field `keys`"),
        ("archive", {}, "archive needs `prefix`, `keys` or `file_ids`"),
        ("fetch", {"url": "file:///etc/passwd"}, "must be an http:// or https:// address"),
        ("fetch", {"url": "https://"}, "must be an http:// or https:// address"),
        ("fetch", {"url": "http://a/", "headers": {"Range": "bytes=0-"}}, "must not hold 'Range'"),
        ("fetch", {"url": "http://a/", "headers": {"A": "b\r\nC: d"}}, "must be printable ASCII"),
        ("simulate", {"seconds": -1}, "seconds"),
    ],
)
def test_wrong_params_are_told_in_words(preparer: str, params: dict, sentence: str):
    with pytest.raises(BadRecipe, match=sentence):
        Registry.installed().params(Recipe(preparer=preparer, params=params))


def test_each_preparer_is_told_with_its_package():
    assert Registry.installed([point("object", OBJECT.value, package="haulier")]).packages["object"].name == "haulier"
    assert Registry.installed().packages["object"].version


@pytest.mark.parametrize("choice", [dict, msgspec.defstruct("Listed", [("a", int)], array_like=True)])
def test_a_preparer_whose_choice_is_no_object_is_broken(choice: type, monkeypatch: pytest.MonkeyPatch):
    broken = msgspec.structs.replace(Registry.installed([OBJECT]).get("object"), request_params=choice)
    monkeypatch.setattr("haulier.preparers.object.PREPARER", broken)
    assert "not a Struct type with named fields" in Registry.installed([OBJECT]).broken["object"]
