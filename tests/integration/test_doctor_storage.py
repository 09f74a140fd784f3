"""What the doctor says of a bucket that is right, and of each way in which it is not."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from haulier.cli.diagnosis import Finding, Mark
from haulier.cli.program import app
from haulier.cli.storage_diagnosis import storage
from haulier.clock import SYSTEM_CLOCK
from haulier.settings import Secret, Settings
from tests.s3 import S3_MARKS

pytestmark = [*S3_MARKS, pytest.mark.usefixtures("s3_credentials")]


async def found(url: str) -> list[Finding]:
    return await storage(Settings(storage_url=Secret(url), url_secret=Secret("s" * 32)), SYSTEM_CLOCK)


def texts(findings: list[Finding], mark: Mark) -> list[str]:
    return [finding.text for finding in findings if finding.mark is mark]


@pytest.fixture
def url(s3_server):
    return s3_server.url(s3_server.new_bucket())


async def test_a_bucket_after_storage_init_is_good(url):
    assert CliRunner().invoke(app, ["storage", "init"], env={"HAULIER_STORAGE_URL": url}).exit_code == 0

    assert await found(url) == [Finding(Mark.GOOD, "storage", "an object was written, read and deleted")]


async def test_a_bucket_without_rules_works_and_is_doubtful(url):
    findings = await found(url)

    assert texts(findings, Mark.DOUBTFUL) == ["no lifecycle rule ends incomplete uploads"]
    assert texts(findings, Mark.GOOD) == ["an object was written, read and deleted"]


async def test_a_bucket_that_does_not_exist_is_named(s3_server):
    (finding,) = await found(s3_server.url("no-such-bucket"))

    assert (finding.mark, finding.text) == (Mark.BAD, "no-such-bucket: the bucket does not exist")
    assert "haulier storage init" in finding.advice


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("AWS_SECRET_ACCESS_KEY", "the secret key does not fit the access key"),
        ("AWS_ACCESS_KEY_ID", "the store does not know the access key"),
    ],
)
async def test_wrong_credentials_are_told_apart(url, monkeypatch, variable, text):
    monkeypatch.setenv(variable, "hunter2")

    findings = await found(url)

    assert text in texts(findings, Mark.BAD)[0]
    assert "hunter2" not in repr(findings)


async def test_an_endpoint_that_is_away_is_bad():
    (finding,) = await found("s3://bucket?endpoint=http://127.0.0.1:9")

    assert finding.text == "bucket: the endpoint cannot be reached"


async def test_a_bucket_that_others_may_only_read_is_bad(s3_server):
    bucket = s3_server.new_bucket()
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
        ],
    }
    s3_server.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    assert texts(await found(s3_server.url(bucket)), Mark.BAD) == [
        "an object cannot be written: the store denied access"
    ]


async def test_a_public_endpoint_that_works_is_tried(url):
    other_name = url.split("endpoint=")[1].split("&")[0].replace("127.0.0.1", "localhost")

    findings = await found(f"{url}&public_endpoint={other_name}")

    assert "a link through the public endpoint works" in texts(findings, Mark.GOOD)


async def test_a_public_endpoint_that_is_away_is_doubtful(url):
    findings = await found(f"{url}&public_endpoint=http://127.0.0.1:9")

    assert "the public endpoint cannot be reached: ConnectError" in texts(findings, Mark.DOUBTFUL)
    assert texts(findings, Mark.BAD) == []


async def test_a_proxy_that_changes_the_host_is_recognised(url, s3_server):
    host, port = s3_server.endpoint.removeprefix("http://").split(":")

    async def forward(reader, writer):
        """Pass one request on as if it had been sent to the store itself, as proxies do unless told otherwise."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [
            line for line in head.split(b"\r\n") if line and not line.lower().startswith((b"host:", b"connection:"))
        ]
        store_reader, store_writer = await asyncio.open_connection(host, int(port))
        asked = [*lines, f"Host: {host}:{port}".encode(), b"Connection: close", b"", b""]
        store_writer.write(b"\r\n".join(asked))
        writer.write(await store_reader.read())
        store_writer.close()
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as proxy:
        address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        findings = await found(f"{url}&public_endpoint={address}")

    assert "a link through the public endpoint is answered with 403, SignatureDoesNotMatch" in texts(
        findings, Mark.DOUBTFUL
    )


async def test_a_host_that_only_containers_know_is_pointed_out(url):
    findings = await found(f"{url}&public_endpoint=http://minio:9000")

    assert "links lead to the host minio, which clients may not know" in texts(findings, Mark.DOUBTFUL)
