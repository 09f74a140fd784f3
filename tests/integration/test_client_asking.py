"""The client asks a real API for a file: one job however often the answer is lost, and whoever asks again joins it."""

import pytest

from haulier.client import Client, JobFailed
from tests.integration.api_steps import failed
from tests.proxies import losing
from tests.serving import serving


@pytest.fixture
async def server(settings):
    async with serving(settings) as server:
        yield server


async def test_a_lost_answer_makes_no_second_job_even_when_the_first_has_failed_meanwhile(server, tmp_path):
    async def newest_fails(_seconds: float) -> None:
        for job in (await reader.jobs()).jobs:
            await failed(server.services, job.job_id)

    token = server.token("anna")
    async with (
        losing(server.url, answers=1) as url,
        Client(server.url, token=token) as reader,
        Client(url, token=token, sleep=newest_fails) as client,
    ):
        with pytest.raises(JobFailed):
            await client.download(70_000, to=tmp_path)
        assert (await reader.jobs()).total == 1
        second = await reader.initiate(70_000)
        assert (second.status, (await reader.jobs()).total) == ("queued", 2)


async def test_who_asks_again_joins_the_living_job_unless_with_a_key_of_their_own(server):
    async with Client(server.url, token=server.token("anna")) as client:
        first = await client.initiate(70_000)
        assert (await client.initiate(70_000)).job_id == first.job_id
        assert (await client.initiate(70_000, idempotency_key="mine")).job_id != first.job_id
        await failed(server.services, first.job_id)
        again = await client.retry(first.job_id)
        assert (await client.retry(first.job_id)).job_id == again.job_id
