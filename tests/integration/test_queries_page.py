"""docs/queries.md: its example runs, step by step."""

import json
import re
from pathlib import Path

import msgspec

from haulier.catalogue import load_catalogue
from haulier.job import Request
from haulier.preparers.query import request_params
from haulier.preparers.registry import Registry
from haulier.settings import Secret, Settings
from tests.fake_build import FakeBuild
from tests.integration.query_steps import content

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


async def test_the_example_runs(database_url: Secret, connection, tmp_path: Path):
    await connection.execute(block("sql"))
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(block("toml"), encoding="utf-8")
    sent = json.loads(block("json"))
    recipe = load_catalogue(str(catalogue)).recipe(Request(file_id=sent["file_id"]))
    params = Registry.installed().params(recipe)
    reader = Secret(f"postgresql://reports:choose-another@{database_url.reveal().rpartition('@')[2]}")
    build = FakeBuild(
        params,
        file_name=recipe.file_name,
        settings=Settings(query_database_url=reader),
    )
    build.request_params = msgspec.convert(sent["params"], request_params(params))
    try:
        assert (await content(build)).decode() == block("csv")
    finally:
        await connection.execute("drop owned by reports; drop role reports")
