"""doctor asks the databases of query rules whether they understand these."""

from pathlib import Path

from haulier.cli.diagnosis import Mark
from haulier.cli.diagnosis_queries import queries
from haulier.clock import SYSTEM_CLOCK
from haulier.settings import Secret, Settings


def rule(folder: Path, *rules: str) -> str:
    path = folder / "catalogue.toml"
    path.write_text(
        "\n".join(
            f'[[rule]]\nids = "{70_000 + at}"\npreparer = "query"\nparams.sql = "{sql}"\n'
            for at, sql in enumerate(rules)
        )
    )
    return str(path)


async def test_queries_that_their_database_understands_are_good(database_url: Secret, tmp_path: Path):
    catalogue = rule(tmp_path, "select 1 as a", "select :file_id as b")
    (found,) = await queries(Settings(query_database_url=database_url, catalogue=catalogue), SYSTEM_CLOCK)
    assert (found.mark, found.text) == (Mark.GOOD, "their databases understand all 2")


async def test_a_query_that_cannot_run_is_bad_and_says_what_postgresql_says(database_url: Secret, tmp_path: Path):
    catalogue = rule(tmp_path, "select 1 as a", "select * from nowhere")
    (found,) = await queries(Settings(query_database_url=database_url, catalogue=catalogue), SYSTEM_CLOCK)
    assert found.mark is Mark.BAD
    assert "file 70001" in found.text
    assert found.advice == 'relation "nowhere" does not exist'


async def test_a_database_that_is_not_configured_is_bad(tmp_path: Path):
    (found,) = await queries(Settings(catalogue=rule(tmp_path, "select 1 as a")), SYSTEM_CLOCK)
    assert found.advice == "Set HAULIER_QUERY_DATABASE_URL."


async def test_without_queries_there_is_nothing_to_say(tmp_path: Path):
    assert await queries(Settings(), SYSTEM_CLOCK) == []
