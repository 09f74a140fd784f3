"""Downloads through the handle that outlast their signed links: curl, wget and aria2c on a folder and on S3.

HAULIER_TEST_LARGE=1 takes a file of 1 GiB instead of 64 MiB.
"""

import asyncio
import hashlib
import os
import shutil
import signal
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
import pytest

from haulier.api.serve import serve
from haulier.embedded.ports import free_port
from haulier.job import Artefact
from haulier.settings import Secret
from haulier.storage import open_storage
from tests.api_client import ApiClient
from tests.integration.ledger_steps import claimed
from tests.s3 import S3_MARKS
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(600)]

MIB = 1 << 20
SIZE = 1 << 30 if os.environ.get("HAULIER_TEST_LARGE") else 64 * MIB
RATE = SIZE // 8  # bytes a second: the whole would take 8 s, eight lives of a link
STORES = ["folder", pytest.param("s3", marks=S3_MARKS)]
FILE = "/v1/download/file/"
CLIENTS = {
    "curl": ["curl", "-sS", "-L", "-C", "-", "-o", "got"],
    "wget": ["wget", "-q", "-c", "-O", "got"],
    "aria2c": [
        "aria2c",
        "-q",
        "-x8",
        "-s8",
        "-k1M",
        "-c",
        "--file-allocation=none",
        "--auto-save-interval=1",
        "-o",
        "got",
    ],
}
THROTTLE = {
    "curl": ["--limit-rate", str(RATE)],
    "wget": [f"--limit-rate={RATE}"],
    "aria2c": [f"--max-overall-download-limit={RATE}"],
}


class Shelf:
    """A served artefact whose links live for a second."""

    def __init__(self, client: ApiClient, job_id: str, sha256: str, folder: Path) -> None:
        self.client = client
        self.handle = f"{str(client.http.base_url).rstrip('/')}{FILE}{job_id}"
        self.sha256 = sha256
        self.got = folder / "got"

    async def link(self) -> str:
        answer = await self.client.get(self.handle)
        assert answer.status_code == 307, answer.text
        return answer.headers["location"]

    async def get(self, **headers: str) -> httpx.Response:
        """What the store answers to a link that had not ended on the way there."""
        async with httpx.AsyncClient() as http:

            async def ask() -> httpx.Response | None:
                answer = await http.get(await self.link(), headers=headers)
                return None if answer.status_code == 403 else answer

            return await eventually(ask)

    async def start(self, program: str, *options: str) -> asyncio.subprocess.Process:
        """A client that downloads through the handle, with its token in a header."""
        token = f"Authorization: Bearer {self.client.token('anna')}"
        flag = "-H" if program == "curl" else "--header"
        command = [*CLIENTS[program], *options, flag, token, self.handle]
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.got.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )

    async def until_links_of_now_have_ended(self) -> None:
        link = await self.link()
        async with httpx.AsyncClient() as http:
            while (await http.get(link, headers={"Range": "bytes=0-0"})).status_code != 403:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def until_something_arrived(self, running: asyncio.subprocess.Process) -> None:
        while not self.got.exists() or not self.got.stat().st_size:
            assert running.returncode is None, (await running.communicate())[0]
            await asyncio.sleep(0.02)

    def digest(self) -> str:
        with self.got.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(params=STORES)
async def shelf(request, settings, services, tmp_path):
    """An API of its own over folder or S3 with one completed job."""
    changed = {"port": free_port(), "file_url_ttl_s": 1}
    if request.param == "s3":
        request.getfixturevalue("s3_credentials")
        server = request.getfixturevalue("s3_server")
        changed["storage_url"] = Secret(server.url(server.new_bucket()))
    settings = msgspec.structs.replace(settings, **changed)
    serving = asyncio.create_task(serve(settings))
    folder = tmp_path / "client"
    folder.mkdir()
    async with httpx.AsyncClient(base_url=settings.base_url, timeout=30) as http:
        client = ApiClient(http, secret=settings.jwt_secret)
        async with asyncio.timeout(10):
            while True:
                try:
                    await http.get("/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        job_id = await client.initiate()
        sha256 = await _complete(services, settings, job_id)
        while (await client.status(job_id, params={"wait": 10})).json()["status"] != "completed":
            pass  # the API has not heard of it yet
        yield Shelf(client, job_id, sha256, folder)
        store = open_storage(settings)
        await store.delete([info.key async for info in store.list("artifacts/")])  # the S3 server keeps it in memory
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 15)


async def _complete(services, settings, job_id: str) -> str:
    """Store the artefact and complete the job; the artefact's SHA-256."""
    attempt = await claimed(services.ledger, await services.ledger.jobs.get(UUID(job_id)))
    key, piece = f"artifacts/{job_id}/1/70000.zip", os.urandom(MIB - 8)

    async def chunks():
        for number in range(SIZE // MIB):
            yield number.to_bytes(8, "big") + piece

    named = {"file_name": "70000.zip", "content_type": "application/zip"}
    written = await open_storage(settings).write(key, chunks(), **named)
    artefact = Artefact(key=key, **named, size=written.size, etag=written.etag, sha256=written.sha256)
    services.snapshots.announce(await services.ledger.attempts.complete(attempt, artefact))
    return written.sha256


@pytest.mark.parametrize("program", CLIENTS)
async def test_a_download_that_broke_off_goes_on_after_its_link_has_ended(shelf, program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    first = await shelf.start(program, *THROTTLE[program])
    await shelf.until_something_arrived(first)
    await shelf.until_links_of_now_have_ended()
    first.terminate()
    await first.wait()
    held = shelf.got.stat().st_size
    assert shelf.digest() != shelf.sha256

    second = await shelf.start(program)
    output, _ = await second.communicate()

    assert second.returncode == 0, output
    assert held > 0
    assert shelf.got.stat().st_size == SIZE
    assert shelf.digest() == shelf.sha256


async def test_aria2c_gets_fresh_links_for_later_pieces_in_one_run(shelf):
    if not shutil.which("aria2c"):
        pytest.skip("aria2c is not installed")
    # Two connections for 64 pieces or more: most are asked for when the first links have ended.
    options = ("-x2", "-s64", f"--max-overall-download-limit={SIZE // 4}")
    running = await shelf.start("aria2c", *options)
    output, _ = await running.communicate()

    assert running.returncode == 0, output
    assert shelf.digest() == shelf.sha256


async def test_ranges_and_the_etag_are_the_same_through_every_link(shelf):
    whole = await shelf.get(Range="bytes=0-9")
    etag = whole.headers["etag"]
    again = await shelf.get(**{"Range": "bytes=10-19", "If-Range": etag})
    behind = await shelf.get(Range=f"bytes={SIZE}-")

    assert etag.startswith('"')
    assert (whole.status_code, again.status_code, behind.status_code) == (206, 206, 416)
    assert again.headers["etag"] == etag
    assert again.headers["content-range"] == f"bytes 10-19/{SIZE}"


@pytest.mark.parametrize("shelf", STORES[1:], indirect=True)
@pytest.mark.parametrize(
    ("agent", "is_ours"), [("curl/8.0", False), ("Mozilla/5.0", False), ("Wget/1.21", True), ("aria2/1.36.0", True)]
)
async def test_clients_that_send_their_token_on_are_led_past_s3(shelf, agent, is_ours):
    answer = await shelf.client.get(shelf.handle, headers={"User-Agent": agent})

    ours = answer.headers["location"].startswith(str(shelf.client.http.base_url).rstrip("/") + "/files/")
    assert ours == is_ours


@pytest.mark.parametrize("shelf", STORES[1:], indirect=True)
async def test_s3_refuses_a_signed_link_with_a_token_beside_it(shelf):
    """Why they are: when this fails one day, decisions/0009 can be simpler."""
    answer = await shelf.get(Authorization="Bearer x")

    assert answer.status_code == 400
