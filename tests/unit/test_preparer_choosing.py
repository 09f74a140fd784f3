"""What clients may choose: what is refused and how it is said, and the one form of all spellings."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from haulier.catalogue import Recipe
from haulier.errors import BadRecipe, InvalidRequest, UnknownPreparer
from haulier.preparers import Preparer
from haulier.preparers.choosing import chosen, plain
from haulier.preparers.describing import parameters, words
from haulier.preparers.registry import Registry
from haulier.wire_channels import Label


class Border(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[int, Meta(ge=1)]
    colour: str = "black"

    def __post_init__(self) -> None:
        if self.width == 13:
            raise ValueError("13 brings bad luck")


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(description="What it is called.", min_length=1, max_length=10)]
    columns: Annotated[int, Meta(ge=1, le=12)] = 4
    format: Literal["jpeg", "png"] = "jpeg"
    scale: float = 1.0
    day: date | None = None
    borders: list[Border] = []
    extra: dict[str, int] = {}
    tags: set[str] = set()
    corners: dict[str, Border] = {}

    def __post_init__(self) -> None:
        if self.columns == 7:
            raise ValueError("7 columns bring bad luck")


class Rule(msgspec.Struct, frozen=True):
    allowed: bool = True


def problems(**given: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        chosen(Choice, {"name": "a"} | given)
    return dict(caught.value.problems)


@pytest.mark.parametrize(
    ("wrong", "pointer", "sentence"),
    [
        ({"columns": 0}, "/params/columns", "must be a whole number from 1 to 12"),
        ({"columns": 1.5}, "/params/columns", "must be a whole number from 1 to 12; it is a number with a fraction"),
        ({"columns": None}, "/params/columns", "must be a whole number from 1 to 12; it is null"),
        ({"columns": 7}, "/params", "7 columns bring bad luck"),
        ({"format": "gif"}, "/params/format", "must be jpeg or png"),
        ({"format": 1}, "/params/format", "must be jpeg or png; it is a whole number"),
        ({"name": ""}, "/params/name", "must be text of 1 to 10 characters"),
        ({"scale": "x"}, "/params/scale", "must be a number; it is text"),
        ({"day": "tomorrow"}, "/params/day", "must be a date like 2026-01-31 or null"),
        ({"borders": {}}, "/params/borders", "must be a list, each an object; it is an object"),
        ({"borders": [{"width": 1}, {"width": 0}]}, "/params/borders/1/width", "must be a whole number of at least 1"),
        ({"borders": [{}]}, "/params/borders/0", "needs the field width"),
        ({"borders": [{"width": 1, "x": 1}]}, "/params/borders/0", "has an unknown field x"),
        ({"extra": {"k": "v"}}, "/params/extra", "has a value that must be a whole number; it is text"),
        ({"corners": {"k": {"width": 0}}}, "/params/corners", "has a value that must be a whole number of at least 1"),
        ({"corners": {"k": {}}}, "/params/corners", "has a value that needs the field width"),
        ({"corners": {"k": {"width": 13}}}, "/params/corners", "has a value that does not fit: 13 brings bad luck"),
        ({"a/b~": 1}, "/params/a~1b~0", "is unknown (this file takes name, columns, format, scale, day, borders, ex"),
    ],
)
def test_a_wrong_choice_is_told_where_and_what_fits(wrong: dict[str, Any], pointer: str, sentence: str):
    [(where, told)] = problems(**wrong).items()
    assert where == pointer
    assert told.startswith(sentence)


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(InvalidRequest) as caught:
        chosen(Choice, {"columns": 0, "scale": [], "color": 1})
    assert [pointer for pointer, _ in caught.value.problems] == [
        "/params/color",
        "/params/name",
        "/params/columns",
        "/params/scale",
    ]
    assert dict(caught.value.problems)["/params/name"] == "is required: text of 1 to 10 characters"


def test_defaults_given_or_left_out_are_the_same_choice():
    spelt_out = {"name": "a", "columns": 4, "scale": 1, "borders": [], "tags": [], "day": None}
    assert plain(chosen(Choice, spelt_out)) == plain(chosen(Choice, {"name": "a"})) == {"name": "a"}


def test_what_was_chosen_is_kept_in_one_form():
    choice = {"tags": ["b", "a", "b"], "scale": 2, "name": "a", "day": "2026-01-31", "borders": [{"width": 1}]}
    kept = plain(chosen(Choice, choice))
    assert kept == {
        "name": "a",
        "scale": 2.0,
        "day": "2026-01-31",
        "borders": [{"width": 1, "colour": "black"}],
        "tags": ["a", "b"],
    }
    assert chosen(Choice, kept) == chosen(Choice, choice)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([field.name for field in msgspec.structs.fields(Choice)]) | st.text(max_size=5)


@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_whatever_is_sent_is_refused_in_words_or_kept_without_loss(sent: dict[str, Any]):
    choice, refused = None, ()
    try:
        choice = chosen(Choice, sent)
    except InvalidRequest as error:
        refused = error.problems
    assert (choice is None) == bool(refused)
    assert all(pointer.startswith("/params") and "`" not in message for pointer, message in refused)
    assert choice is None or chosen(Choice, msgspec.json.decode(msgspec.json.encode(plain(choice)))) == choice


def preparer(request_params: Any) -> Preparer:
    async def never(_: Any) -> Any:
        raise AssertionError

    return Preparer(name="sheet", params=Rule, prepare=never, request_params=request_params)


RECIPE = Recipe(preparer="sheet", params={})


def test_a_preparer_without_a_choice_takes_none():
    registry = Registry([preparer(None)])
    assert registry.request_params(RECIPE, {}) is None
    with pytest.raises(InvalidRequest) as caught:
        registry.request_params(RECIPE, {"columns": 4})
    assert caught.value.problems == (("/params", "This file takes no params; leave out columns"),)


def test_the_choice_may_depend_on_the_rule():
    def shape(rule: Rule) -> type[msgspec.Struct]:
        return Border if rule.allowed else msgspec.defstruct("None_", [])

    registry = Registry([preparer(shape)])
    assert registry.request_params(RECIPE, {"width": 2}) == Border(width=2)
    with pytest.raises(InvalidRequest, match="this file takes no params"):
        registry.request_params(Recipe(preparer="sheet", params={"allowed": False}), {"width": 2})


@pytest.mark.parametrize("shape", [lambda _: 1 / 0, lambda _: dict, lambda _: None])
def test_a_rule_whose_choice_cannot_be_told_is_a_bad_rule(shape: Any):
    with pytest.raises(BadRecipe, match="sheet: "):
        Registry([preparer(shape)]).request_params(RECIPE, {})


def test_an_unknown_preparer_is_told_before_the_choice():
    with pytest.raises(UnknownPreparer):
        Registry([]).request_params(RECIPE, {"columns": 4})


def test_parameters_are_listed_with_what_fits_and_their_defaults():
    first, second, *_ = parameters(msgspec.json.schema(Choice))
    assert (first.name, first.default, first.words, first.description) == (
        "name",
        None,
        "text of 1 to 10 characters",
        "What it is called.",
    )
    assert (second.name, second.default) == ("columns", "4")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (bool, "true or false"),
        (Annotated[int, Meta(ge=0)], "a whole number of at least 0"),
        (Annotated[float, Meta(gt=0, lt=1)], "a number above 0 and below 1"),
        (Annotated[str, Meta(max_length=1)], "text of at most 1 character"),
        (Annotated[str, Meta(min_length=2, pattern="^a")], "text of at least 2 characters that matches ^a"),
        (Label, "text of at most 100 characters without control characters"),
        (Annotated[list[int], Meta(min_length=1, max_length=3)], "a list of 1 to 3 items, each a whole number"),
        (Literal[1, "x"], "1 or x"),
        (int | str | None, "a whole number, text or null"),
        (Literal["jpeg", "png"] | None, "jpeg, png or null"),
        (dict[str, int], "an object"),
        (Border, "an object"),
        (Any, "any JSON value"),
    ],
)
def test_types_are_said_in_words(kind: Any, said: str):
    schema = msgspec.json.schema(kind)
    assert words(schema, schema) == said
