"""The doctor's settings, and its checks where nothing answers."""

from pathlib import Path

import msgspec
import pytest

from haulier import settings
from haulier.cli import diagnosis
from haulier.cli.diagnosis import Finding, Mark
from haulier.cli.doctor import settings_of
from haulier.clock import SYSTEM_CLOCK
from haulier.preparers import Preparer
from haulier.preparers.registry import Registry
from tests.receipts import KEYS, SEED

SECRET = "0123456789abcdef0123456789abcdef"
COMPLETE = {
    "HAULIER_REDIS_URL": "redis://:hunter2@127.0.0.1:9/0",
    "HAULIER_DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:9/d",
    "HAULIER_STORAGE_URL": "memory:",
    "HAULIER_JWT_SECRET": SECRET,
}
NO_OPTIONS: frozenset[str] = frozenset()


def bad(found: list[Finding]) -> list[str]:
    return [finding.text for finding in found if finding.mark is Mark.BAD]


def test_complete_settings_are_good() -> None:
    loaded, found = settings_of(COMPLETE, options=NO_OPTIONS)
    assert bad(found) == []
    assert loaded.storage_url.reveal() == "memory:"


def test_each_problem_is_named_and_the_rest_is_still_looked_at() -> None:
    environ = COMPLETE | {"HAULIER_PORT": "x", "HAULIER_JWT_SECRET": "short", "HAULIER_REDIS_URL": ""}
    loaded, found = settings_of(environ, options=NO_OPTIONS)
    assert sorted(text.split(" ")[0] for text in bad(found)) == [
        "HAULIER_JWT_SECRET",
        "HAULIER_PORT",
        "HAULIER_REDIS_URL",
    ]
    assert all(
        finding.advice or "required" in finding.text or "expected" in finding.text or "must" in finding.text
        for finding in found
    )
    assert loaded.database_url.reveal() == COMPLETE["HAULIER_DATABASE_URL"]


def test_a_misspelt_variable_is_pointed_at() -> None:
    _, found = settings_of(
        COMPLETE | {"HAULIER_REDIS_ULR": "x", "HAULIER_HOME": "h"}, options=frozenset({"HAULIER_HOME"})
    )
    assert [finding.text for finding in found if finding.mark is Mark.DOUBTFUL] == [
        "HAULIER_REDIS_ULR is no setting of Haulier"
    ]


@pytest.mark.parametrize("check", [diagnosis.ledger, diagnosis.engine])
async def test_a_dependency_that_is_away_is_bad_and_shows_no_password(check: object) -> None:
    loaded = settings.load(COMPLETE)
    found = await check(loaded, SYSTEM_CLOCK)  # type: ignore[operator]
    assert [finding.mark for finding in found] == [Mark.BAD]
    assert "does not answer" in found[0].text
    assert found[0].advice.startswith("Check HAULIER_")
    assert "hunter2" not in repr(found)


async def test_a_rule_whose_preparer_is_missing_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "catalogue.toml"
    rules.write_text('[[rule]]\nids = ["80000-80009", 90000]\npreparer = "teleport"\n')
    found = await diagnosis.catalogue(settings.load({"HAULIER_CATALOGUE": str(rules)}), SYSTEM_CLOCK)
    assert bad(found) == ["file 80000: No preparer named teleport is installed on the worker."]


async def test_a_rule_with_wrong_params_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "catalogue.toml"
    rules.write_text('[[rule]]\nids = 80000\npreparer = "object"\n[rule.params]\nkey = 5\n')
    found = await diagnosis.catalogue(settings.load({"HAULIER_CATALOGUE": str(rules)}), SYSTEM_CLOCK)
    assert len(bad(found)) == 1
    assert bad(found)[0].startswith("file 80000: ")


async def test_a_broken_catalogue_is_one_finding_a_problem(tmp_path: Path) -> None:
    rules = tmp_path / "catalogue.toml"
    rules.write_text('[[rule]]\nids = "x"\npreparer = "object"\n[[rule]]\nids = 70000\n')
    found = await diagnosis.catalogue(settings.load({"HAULIER_CATALOGUE": str(rules)}), SYSTEM_CLOCK)
    assert len(bad(found)) == 2


async def test_the_length_of_the_secret_is_told_and_nothing_else_of_it() -> None:
    found = await diagnosis.tokens(settings.load(COMPLETE), SYSTEM_CLOCK)
    assert found == [Finding(Mark.GOOD, "tokens", "HAULIER_JWT_SECRET has 32 bytes")]


async def test_receipts_that_are_off_are_worth_a_look_and_no_fault() -> None:
    found = await diagnosis.receipts(settings.load({}), SYSTEM_CLOCK)
    assert [finding.mark for finding in found] == [Mark.DOUBTFUL]
    assert "haulier receipt-key" in found[0].advice


async def test_the_key_of_receipts_is_named_and_not_shown() -> None:
    loaded = settings.load({"HAULIER_RECEIPT_KEY": SEED, "HAULIER_RECEIPT_OLD_KEYS": SEED})
    found = await diagnosis.receipts(loaded, SYSTEM_CLOCK)
    assert [finding.mark for finding in found] == [Mark.GOOD]
    assert KEYS.keys[0].kid in found[0].text
    assert SEED not in found[0].text


async def test_a_rule_for_which_nobody_knows_what_may_be_chosen_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choices(rule: object) -> type:
        raise ValueError("there is no column b")

    async def never(_: object) -> object:
        raise AssertionError

    made = Preparer(name="table", params=msgspec.Struct, prepare=never, request_params=choices)  # type: ignore[arg-type]
    monkeypatch.setattr(Registry, "installed", lambda: Registry([made]))
    rules = tmp_path / "catalogue.toml"
    rules.write_text('[[rule]]\nids = 80000\npreparer = "table"\n')
    found = await diagnosis.catalogue(settings.load({"HAULIER_CATALOGUE": str(rules)}), SYSTEM_CLOCK)
    assert bad(found) == ["file 80000: The catalogue's rule for this file is not valid: table: there is no column b."]
