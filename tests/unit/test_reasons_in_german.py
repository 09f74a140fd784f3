"""The reasons that the clients for browsers give in their own words are those of the server's errors."""

import re
from pathlib import Path

import haulier.errors
from haulier.errors import attempts
from haulier.errors.base import HaulierError

TABLE = Path(__file__).parents[2] / "clients/typescript/src/reasons.ts"
# What the client finds out by itself.
ITS_OWN = {"network_error", "no_token", "no_user"}


def german_codes() -> set[str]:
    return codes_in("IN_GERMAN")


def codes_in(name: str) -> set[str]:
    table = TABLE.read_text().split(f"const {name}")[1].split("\n}")[0]
    return set(re.findall(r"^  (\w+): '.+',$", table, re.MULTILINE))


def codes_of(module: object) -> set[str]:
    found = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, HaulierError))
    return {error.code for error in found}


def test_every_reason_of_an_attempt_is_told_in_german():
    assert codes_of(attempts) - {HaulierError.code} <= german_codes()


def test_no_reason_is_told_that_the_server_does_not_have():
    assert german_codes() - ITS_OWN <= codes_of(haulier.errors)


def test_what_english_words_anew_is_told_in_german_as_well():
    assert codes_in("IN_ENGLISH")
    assert codes_in("IN_ENGLISH") <= german_codes()
