"""What an earlier run has left is believed only as far as something proves it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from haulier.client import Client, Patience
from haulier.wire import JobStatus
from tests.loopback import CONTENT, JOB, Loopback, completed, loopback, ranged
from tests.unit.test_client_download import keep_part

FILE = f"/v1/download/file/{JOB}"
OLDER = bytes(len(CONTENT))


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        server.on("GET", FILE, ranged)
        yield server


@pytest.fixture
async def client(api: Loopback) -> AsyncGenerator[Client]:
    async with Client(api.url, token="t", patience=Patience(tries=1)) as client:
        yield client


def job_without(*names: str) -> JobStatus:
    return msgspec.convert({name: value for name, value in completed().items() if name not in names}, JobStatus)


@pytest.mark.parametrize("untold", [("sha256",), ("sha256", "file_size")])
async def test_a_whole_part_of_an_older_artefact_is_not_taken_for_this_one(
    client: Client, api: Loopback, tmp_path: Path, untold: tuple[str, ...]
) -> None:
    keep_part(tmp_path / "r.bin", OLDER, etag='"older"', size=len(OLDER))
    got = await client.save(job_without(*untold), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert not got.verified
    assert "range" not in api.seen[0].headers


async def test_a_beginning_of_an_older_artefact_is_compared_by_the_store(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    keep_part(tmp_path / "r.bin", OLDER[:10], etag='"older"', size=len(OLDER))
    await client.save(job_without("sha256"), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
