"""The client without an event loop: the same calls against a real API, from a thread."""

import asyncio
import inspect
import threading

import pytest

from haulier.client import ApiError, Client, JobCancelled, SyncClient, TargetExists
from haulier.client.batches import Batches
from haulier.client.blocking import SyncBatches, SyncChannels, SyncDeadLetters
from haulier.client.channels import Channels
from haulier.client.dead_letters import DeadLetters
from tests.integration.api_steps import CONTENT, completed
from tests.serving import serving
from tests.waiting import eventually

ONLY_ASYNC = {"aclose"}


@pytest.fixture
async def server(settings):
    async with serving(settings) as server:
        yield server


def calls(kind: type) -> dict[str, inspect.Signature]:
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(member) for name, member in members if not name.startswith("_")}


@pytest.mark.parametrize(
    ("twin", "blocking"),
    [(Client, SyncClient), (Batches, SyncBatches), (Channels, SyncChannels), (DeadLetters, SyncDeadLetters)],
)
def test_both_clients_have_the_same_calls(twin, blocking):
    assert calls(blocking) == {name: call for name, call in calls(twin).items() if name not in ONLY_ASYNC}


async def test_a_file_is_downloaded_in_one_call(server, tmp_path):
    stages = []

    def download():
        with SyncClient(server.url, token=server.token("anna")) as client:
            return client.download(70_000, to=tmp_path, on_progress=lambda progressed: stages.append(progressed.stage))

    downloading = asyncio.create_task(asyncio.to_thread(download))
    await eventually(lambda: stages)
    job_id = (await server.get("/v1/download/jobs")).json()["jobs"][0]["job_id"]
    await completed(server.services, job_id)
    got = await asyncio.wait_for(downloading, 20)
    assert got.path == tmp_path / "70000.zip"
    assert got.path.read_bytes() == CONTENT
    assert got.job.job_id == job_id
    assert stages[0] == "queued"
    assert stages[-1] == "downloading"


async def test_what_goes_wrong_is_raised(server, tmp_path):
    def ask():
        (tmp_path / "there").write_bytes(b"")
        with SyncClient(server.url, token=server.token("anna")) as client:
            with pytest.raises(ApiError) as refused:
                client.status("01a21425-61e4-762b-996c-04dc0f793811")
            assert refused.value.code == "job_not_found"
            with pytest.raises(TargetExists):
                client.download(70_000, to=tmp_path / "there")
            job = client.initiate(70_000)
            client.cancel(job.job_id)
            with pytest.raises(JobCancelled):
                client.download(job.job_id, to=tmp_path / "new")
        with pytest.raises(RuntimeError, match="in a block"):
            client.jobs()

    await asyncio.to_thread(ask)


async def test_leaving_a_loop_ends_what_it_iterates_over(server):
    await server.initiate()

    def follow():
        with SyncClient(server.url, token=server.token("anna")) as client:
            for status in client.follow_all():
                if status is None:
                    break
                assert status.status == "queued"
            return client.jobs().total

    assert await asyncio.to_thread(follow) == 1
    await eventually(lambda: len(server.services.feeds) == 0)


async def test_what_is_kept_past_the_block_has_ended_with_it(server):
    await server.initiate()

    def follow():
        with SyncClient(server.url, token=server.token("anna")) as client:
            changes = client.follow_all()
            next(changes)
            unused = client.follow_all()
        with pytest.raises(RuntimeError, match="in a block"):
            next(changes)
        del changes, unused

    await asyncio.to_thread(follow)
    await eventually(lambda: len(server.services.feeds) == 0)


async def test_it_works_beside_a_running_loop_and_leaves_no_thread(server):
    threads = threading.active_count()
    with SyncClient("http://127.0.0.1:9", token="t"):  # in the loop of this test
        assert threading.active_count() > threads
    await eventually(lambda: threading.active_count() <= threads)
