"""Temporary credentials against the real server: fetched from a container's endpoint, renewed, and the end of links."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from haulier.errors import StorageUnavailable
from haulier.job import Artefact
from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage
from tests.s3 import ACCESS, S3_MARKS, SECRET, S3Server

pytestmark = [*S3_MARKS]

KEY = "artifacts/018f/1/file.zip"
ARTEFACT = Artefact(KEY, "file.zip", "application/zip", 5, '"e"')


class Role:
    """A container's credentials endpoint: good credentials that end `lasting` after they were asked for."""

    def __init__(self) -> None:
        self.lasting = timedelta(minutes=30)
        self.asked = 0
        self.answers = True
        self.ends = datetime.now(UTC)

    def answer(self) -> tuple[int, bytes]:
        self.asked += 1
        if not self.answers:
            return 500, b"{}"
        self.ends = (datetime.now(UTC) + self.lasting).replace(microsecond=0)
        given = {"AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "Token": "", "Expiration": self.ends.isoformat()}
        return 200, json.dumps(given).encode()


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[Role]:
    """The one source of credentials that botocore's chain finds."""
    role = Role()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = role.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/role")
        yield role
        server.shutdown()
        thread.join()


def opened(server: S3Server) -> Storage:
    return open_storage(Settings(storage_url=Secret(server.url(server.new_bucket()))))


async def stored(storage: Storage) -> None:
    async def chunks():
        yield b"hello"

    await storage.write(KEY, chunks(), file_name="file.zip", content_type="application/zip")


def life_s(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0])


async def test_a_link_that_ends_before_its_credentials_lives_as_long_as_asked(role, s3_server):
    storage = opened(s3_server)

    link = await storage.sign(ARTEFACT, job_id="018f", expires_s=60)

    assert life_s(link.url) == 60
    assert timedelta(seconds=55) < link.expires_at - datetime.now(UTC) <= timedelta(seconds=60)


async def test_a_link_never_outlives_the_credentials_that_signed_it(role, s3_server):
    storage = opened(s3_server)
    await stored(storage)

    link = await storage.sign(ARTEFACT, job_id="018f", expires_s=604_800)

    assert link.expires_at <= role.ends
    assert role.ends - link.expires_at < timedelta(seconds=5)
    assert life_s(link.url) <= 1_800
    async with httpx.AsyncClient() as client:
        assert (await client.get(link.url)).content == b"hello"


async def test_renewed_credentials_sign_longer_links(role, s3_server):
    role.lasting = timedelta(minutes=5)  # botocore renews these at each look
    storage = opened(s3_server)
    first = await storage.sign(ARTEFACT, job_id="018f", expires_s=3_600)
    role.lasting = timedelta(minutes=40)

    second = await storage.sign(ARTEFACT, job_id="018f", expires_s=3_600)
    third = await storage.sign(ARTEFACT, job_id="018f", expires_s=3_600)

    assert second.expires_at - first.expires_at > timedelta(minutes=30)
    assert abs(third.expires_at - second.expires_at) < timedelta(seconds=3)


async def test_many_links_at_once_agree_with_the_credentials_of_the_moment(role, s3_server):
    role.lasting = timedelta(minutes=5)
    storage = opened(s3_server)

    links = await asyncio.gather(*(storage.sign(ARTEFACT, job_id="018f", expires_s=3_600) for _ in range(20)))

    assert all(link.expires_at <= role.ends for link in links)
    assert all(life_s(link.url) <= 300 for link in links)


async def test_credentials_that_cannot_be_renewed_are_an_outage(role, s3_server, monkeypatch):
    role.lasting = timedelta(seconds=1)
    storage = opened(s3_server)
    role.answers = False
    credentials = storage.signer._credentials.__self__._credentials
    monkeypatch.setattr(credentials, "_expiry_time", datetime.now(UTC) - timedelta(seconds=1))

    with pytest.raises(StorageUnavailable):
        await storage.sign(ARTEFACT, job_id="018f", expires_s=60)


async def test_temporary_credentials_move_bytes_too(role, s3_server):
    storage = opened(s3_server)

    await stored(storage)

    assert b"".join([chunk async for chunk in storage.read(KEY)]) == b"hello"
    assert role.asked == 1
