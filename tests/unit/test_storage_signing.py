"""Links to a folder store: what they cover and when they end."""

from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from haulier.errors import BadSignature
from haulier.job import Artefact
from haulier.settings import Secret
from haulier.storage.signing import FolderSigner
from tests.clocks import MORNING, HandClock

JOB = "019aa0c0-0000-7000-8000-000000000001"
ARTEFACT = Artefact("artifacts/1/1/f", 'ü "x"/日.zip', "application/zip", 5, '"e"')


@pytest.fixture
def clock() -> HandClock:
    return HandClock(MORNING + timedelta(seconds=5))


@pytest.fixture
def signer(clock) -> FolderSigner:
    return FolderSigner(Secret("s" * 32), base_url="https://haulier.example", clock=clock)


async def link(signer: FolderSigner, expires_s: int = 60) -> dict[str, str]:
    query = parse_qs(urlsplit((await signer.sign(ARTEFACT, job_id=JOB, expires_s=expires_s)).url).query)
    return {name: values[0] for name, values in query.items()}


async def test_a_link_names_job_and_file(signer):
    url = urlsplit((await signer.sign(ARTEFACT, job_id=JOB, expires_s=60)).url)

    assert f"{url.scheme}://{url.netloc}" == "https://haulier.example"
    assert url.path.count("/") == 3
    assert unquote(url.path) == f"/files/{JOB}/{ARTEFACT.file_name}"


async def test_a_link_is_good_until_it_expires(signer, clock):
    given = await link(signer)

    clock.passed_s += 58
    signer.check(ARTEFACT, job_id=JOB, **given)
    clock.passed_s += 2
    with pytest.raises(BadSignature):
        signer.check(ARTEFACT, job_id=JOB, **given)


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "99999999999"},
        {"expires": ""},
        {"expires": "x"},
        {"signature": ""},
        {"signature": "é\ud800"},
        {"job_id": "019aa0c0-0000-7000-8000-000000000002"},
    ],
)
async def test_an_altered_link_is_refused(signer, change):
    given = {"job_id": JOB} | await link(signer) | change

    with pytest.raises(BadSignature):
        signer.check(ARTEFACT, **given)


async def test_a_link_to_one_attempts_artefact_does_not_serve_anothers(signer):
    given = await link(signer)
    other = Artefact("artifacts/1/2/f", "f", "application/zip", 5, '"e"')

    with pytest.raises(BadSignature):
        signer.check(other, job_id=JOB, **given)


async def test_another_secret_signs_otherwise(signer, clock):
    other = FolderSigner(Secret("t" * 32), base_url="", clock=clock)

    assert (await link(signer))["signature"] != (await link(other))["signature"]
