"""The example package as a user has it: installed, named by a catalogue, asked through the API, made by a worker."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from haulier.cli.diagnosis import Mark, catalogue
from haulier.clock import SYSTEM_CLOCK
from haulier.job import Status
from haulier.preparers.registry import Registry
from tests.integration.house import worker

EXAMPLE = Path(__file__).parents[2] / "examples" / "contact-sheet"
INITIATE = "/v1/download/initiate"
pytestmark = pytest.mark.xdist_group("contact-sheet")  # one process installs it


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the installed package, as pip makes it of the example."""
    folder = tmp_path_factory.mktemp("site")
    flags = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, "--target", folder, EXAMPLE], check=True)
    return folder


@pytest.fixture
def settings(settings, site, monkeypatch):
    """An installation beside which the example is installed, with its catalogue and two pictures."""
    monkeypatch.syspath_prepend(site)
    album = Path(settings.storage_url.reveal().removeprefix("file://")) / "albums" / "70100"
    album.mkdir(parents=True)
    for name, colour in (("a.png", (200, 30, 30)), ("b.png", (30, 30, 200))):
        Image.new("RGB", (300, 200), colour).save(album / name)
    (album / "broken.jpg").write_bytes(b"no image")
    return msgspec.structs.replace(settings, catalogue=str(EXAMPLE / "catalogue.toml"))


@pytest.mark.parametrize(("kind", "shown"), [("jpeg", "JPEG"), ("png", "PNG")])
async def test_a_request_becomes_a_sheet_that_can_be_opened(api, ledger, settings, kind, shown):
    async with worker(settings, ledger) as house:
        wanted = {"file_id": 70_100, "params": {"columns": 3, "thumbnail": 128, "format": kind}}
        asked = (await api.post(INITIATE, wanted)).json()
        job = await house.until(await ledger.jobs.get(asked["job_id"]), Status.COMPLETED)
    assert job.artefact is not None
    assert job.artefact.file_name == f"album-70100.{'jpg' if kind == 'jpeg' else kind}"
    with Image.open(BytesIO((house.store / job.artefact.key).read_bytes())) as sheet:
        assert (sheet.format, sheet.size) == (shown, (12 + 3 * 140, 52 + 160))
        first, second = sheet.getpixel((12 + 64, 52 + 64)), sheet.getpixel((12 + 140 + 64, 52 + 64))
        assert (first[0] > 190, second[2] > 190) == (True, True)


async def test_wrong_params_are_refused_before_there_is_a_job(api):
    answer = await api.post(INITIATE, {"file_id": 70_100, "params": {"columns": 13, "format": "gif"}})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"pointer": "/params/columns", "detail": "must be a whole number from 1 to 12"},
        {"pointer": "/params/format", "detail": "must be jpeg, pdf or png"},
    ]


async def test_the_worker_checks_params_that_the_api_could_not(api, services, ledger, settings):
    services.registry._preparers = {}
    async with worker(settings, ledger) as house:
        asked = (await api.post(INITIATE, {"file_id": 70_100, "params": {"columns": 13}})).json()
        job = await house.until(await ledger.jobs.get(asked["job_id"]), Status.FAILED)
    assert job.error is not None
    assert job.error.code == "bad_recipe"
    assert "contact-sheet cannot take the request's params: /params/columns must be a whole number" in job.error.message


async def test_it_is_listed_and_the_doctor_is_content(settings):
    registry = Registry.installed()
    assert registry.packages["contact-sheet"].name == "haulier-contact-sheet"
    assert [finding.mark for finding in await catalogue(settings, SYSTEM_CLOCK)] == [Mark.GOOD]
