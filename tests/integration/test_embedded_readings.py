"""The demo's database: made once, read by its rule, and nothing else of the server for its role."""

from pathlib import Path

import asyncpg
import pytest

from haulier.catalogue import load_catalogue
from haulier.embedded.demo import RULES
from haulier.embedded.readings import DATABASE, ROLE, readings_database
from haulier.job import Request
from haulier.preparers.registry import Registry
from haulier.settings import Secret, Settings
from tests.fake_build import FakeBuild
from tests.integration.query_steps import content


@pytest.fixture
async def reader(database_url: Secret, connection):
    yield await readings_database(database_url)
    await connection.execute(f"drop database {DATABASE} with (force)")
    await connection.execute(f"drop role {ROLE}")


async def test_the_demos_query_runs_and_its_role_reads_nothing_else(
    reader: Secret, database_url: Secret, tmp_path: Path
):
    again = await readings_database(database_url)
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(RULES.format(origin="http://127.0.0.1:1/file"), "utf-8")
    params = Registry.installed().params(load_catalogue(str(catalogue)).recipe(Request(file_id=70_006)))
    build = FakeBuild(params, settings=Settings(query_database_url=again))
    build.request_params = None
    lines = (await content(build)).splitlines()
    assert len(lines) == 250_001
    assert lines[:2] == [b"id,station,measured_at,temperature_c", "0,Tromsø,2026-01-01 00:00:00+00,12.00".encode()]

    ledger = await asyncpg.connect(again.reveal(), database=database_url.reveal().rpartition("/")[2])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ledger.fetch("select * from jobs")
    await ledger.close()
