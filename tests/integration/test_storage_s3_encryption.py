"""Encryption as a store is asked for it. The test server has no key service, so a recorder stands in for the store."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage

pytestmark = pytest.mark.usefixtures("s3_credentials")

ASKED = "x-amz-server-side-encryption"
KMS = "&sse=aws:kms&sse_kms_key_id=a-key&sse_bucket_key=true"
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
DONE = b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'


class Recorder(BaseHTTPRequestHandler):
    """Takes every object, and keeps the encryption headers of the requests that begin one."""

    asked: list[dict[str, str]]

    def _take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "uploadId=" not in self.path:
            found = {name.lower(): value for name, value in self.headers.items()}
            self.asked.append({name: value for name, value in found.items() if name.startswith(ASKED)})
        body = b"" if self.command == "PUT" else BEGUN if "?uploads" in self.path else DONE
        self.send_response(200)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = _take  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(the address of a store, what it was asked for)."""
    asked: list[dict[str, str]] = []
    recording = type("Recording", (Recorder,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), recording) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"s3://bucket?endpoint=http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


async def write(storage: Storage, size: int) -> None:
    async def chunks():
        yield bytes(size)

    await storage.write("artifacts/1/1/f", chunks(), file_name="f", content_type="text/plain")


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ("", {}),
        ("&sse=AES256", {ASKED: "AES256"}),
        ("&sse=aws:kms:dsse&sse_kms_key_id=k", {ASKED: "aws:kms:dsse", f"{ASKED}-aws-kms-key-id": "k"}),
        (
            KMS,
            {
                ASKED: "aws:kms",
                f"{ASKED}-aws-kms-key-id": "a-key",
                f"{ASKED}-bucket-key-enabled": "true",
            },
        ),
    ],
)
async def test_small_and_large_objects_are_stored_with_the_encryption_asked_for(recorder, options, headers):
    url, asked = recorder
    storage = open_storage(Settings(storage_url=Secret(url + options)))

    await write(storage, 10)
    await write(storage, 20 << 20)

    assert asked == [headers, headers]


async def test_uploads_that_can_be_continued_are_encrypted_as_well(recorder):
    url, asked = recorder
    storage = open_storage(Settings(storage_url=Secret(url + KMS)))

    await storage.begin_upload("artifacts/1/1/f", file_name="f", content_type="text/plain")

    assert asked == [
        {ASKED: "aws:kms", f"{ASKED}-aws-kms-key-id": "a-key", f"{ASKED}-bucket-key-enabled": "true"},
    ]
