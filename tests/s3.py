"""A real S3 server for tests: started once, stopped with the tests; all its tests run in one process (xdist group)."""

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import botocore.session
import pytest
from botocore.config import Config

from haulier.embedded.ports import free_port

ACCESS, SECRET, REGION = "testaccess", "testsecret-testsecret", "us-east-1"
SHARED = Path(os.environ.get("HAULIER_SHARED") or Path(__file__).parents[2] / "shared")
SCRIPT = SHARED / "tools" / "s3-server"
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw")
_ATTEMPTS = 3

# The server's start counts as time of the first test.
S3_MARKS = (pytest.mark.s3, pytest.mark.xdist_group("s3"), pytest.mark.timeout(300))


class S3Server:
    """A running server at `endpoint`; `client` is botocore's, to look at it from outside."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def new_bucket(self) -> str:
        bucket = f"test-{uuid.uuid4().hex[:16]}"
        self.client.create_bucket(Bucket=bucket)
        return bucket

    def url(self, bucket: str) -> str:
        """The bucket as HAULIER_STORAGE_URL."""
        return f"s3://{bucket}?endpoint={self.endpoint}&region={REGION}"

    def uploads(self, bucket: str) -> list[str]:
        """Keys of multipart uploads that were neither completed nor aborted."""
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    missing = [name for name in (str(SCRIPT), *PROGRAMS) if not shutil.which(name)]
    if missing:
        pytest.skip(f"the S3 test server needs {', '.join(missing)} (tests/setup installs it)")
    with _running(tmp_path_factory.mktemp("s3")) as endpoint:
        yield S3Server(endpoint)


@pytest.fixture
def s3_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's credentials where botocore's standard chain looks first."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    for attempt in range(_ATTEMPTS):
        with _attempt(folder / str(attempt)) as endpoint:
            if endpoint:
                yield endpoint
                return
    pytest.fail(f"the S3 test server did not start in {_ATTEMPTS} attempts; its logs are under {folder}")


@contextmanager
def _attempt(folder: Path) -> Iterator[str | None]:
    """The endpoint of a server of ours; None when it does not serve, for a port that others took before it, say."""
    port = free_port()
    # The server ends with us, however we end.
    tied = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with subprocess.Popen([*tied, SCRIPT, folder, str(port)], stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            yield f"http://127.0.0.1:{port}" if line.startswith("ready") and _listens(port) else None
        finally:
            server.terminate()
            server.wait(30)


def _listens(port: int) -> bool:
    """Whether somebody does: the script says "ready" also after a gateway that could not."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
