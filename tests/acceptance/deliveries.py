"""Stores with real files behind a running installation, and the download programs that people use."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from haulier.embedded.ports import free_port
from tests.acceptance.installation import Installation, clean_environment, eventually
from tests.s3 import ACCESS, SECRET, S3Server

LINK_S = 3  # or up to a second less: stores count whole seconds
LASTING = {"HAULIER_FILE_URL_TTL_S": "300"}
_FILE_LINE = re.compile(r'"route":"/v1/download/file/{job_id}","status":(\d+)')
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}


class Shop:
    """An installation whose links live LINK_S seconds, and its store, from outside."""

    def __init__(self, installation: Installation, *, server: S3Server | None, bucket: str) -> None:
        self.installation = installation
        self._server = server
        self._bucket = bucket
        self.client = installation.client(role="admin")
        self.bearer = self.client.headers["Authorization"]
        self.with_bearer = ["--header", f"Authorization: {self.bearer}"]

    @property
    def is_s3(self) -> bool:
        return self._server is not None

    def store_at(self, port: int, *, api_port: int) -> tuple[int, dict[str, str]]:
        """Where the store listens, and the settings of an API on `api_port` whose links lead to `port` instead."""
        if self._server is None:  # links to a folder lead to the API itself
            return api_port, {"HAULIER_PUBLIC_URL": f"http://127.0.0.1:{port}"}
        at = int(self._server.endpoint.rpartition(":")[2])
        url = self._server.url(self._bucket).replace(f":{at}", f":{port}")
        return at, {"HAULIER_STORAGE_URL": url}

    def put(self, number: int, source: Path) -> str:
        """Make the bytes of `source` file `number`; its key."""
        key = f"downloads/{number}.zip"
        if self._server:
            with source.open("rb") as content:
                self._server.client.put_object(Bucket=self._bucket, Key=key, Body=content)
        else:
            target = self.installation.home / "store" / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # another inode, as whoever replaces a file does it
            subprocess.run(["cp", source, target], check=True)
        return key

    def remove(self, key: str) -> None:
        if self._server:
            self._server.client.delete_object(Bucket=self._bucket, Key=key)
        else:
            (self.installation.home / "store" / key).unlink()

    def prepared(self, *numbers: int, at: str = "") -> str:
        """The handle of the completed job for the file, or for an archive of several; at another API's address `at`."""
        body = {"file_ids": numbers} if len(numbers) > 1 else {"file_id": numbers[0]}
        answer = self.client.post("/v1/download/initiate", json=body, headers={"Idempotency-Key": os.urandom(8).hex()})
        job_id = answer.raise_for_status().json()["job_id"]

        def look() -> bool:
            status = self.client.get(f"/v1/download/status/{job_id}", params={"wait": 5}).raise_for_status().json()
            assert status["status"] != "failed", status
            return status["status"] == "completed"

        eventually(look)
        return f"{at or self.installation.url}/v1/download/file/{job_id}"

    def link(self, handle: str) -> str:
        """What the handle redirects to now."""
        answer = self.client.get(handle)
        assert answer.status_code == 307, answer.text
        return answer.headers["location"]

    def answers(self) -> list[int]:
        """The statuses that the handle answered with so far, by the log."""
        lines = [line for log in (self.installation.home / "logs").glob("api*") for line in log.open()]
        return [int(found[1]) for line in lines if (found := _FILE_LINE.search(line))]

    def until_links_have_expired(self, handle: str) -> None:
        """Return when every link that was signed before has ended: one signed now has. Only the clock brings this."""
        link = self.link(handle)
        eventually(lambda: httpx.get(link, headers={"Range": "bytes=0-0"}).status_code == 403, every_s=0.1)


@contextmanager
def open_shop(home: Path, server: S3Server | None, **settings: str) -> Iterator[Shop]:
    bucket = server.new_bucket() if server else ""
    if server:
        # Another host name than the API's, as it is in life: some programs tell hosts apart, but not ports.
        url = server.url(bucket).replace("127.0.0.1", "localhost")
        settings |= CREDENTIALS | {"HAULIER_STORAGE_URL": url}
    life = {"HAULIER_FILE_URL_TTL_S": str(LINK_S)}
    with Installation(home, "--workers", "1", **life | settings) as installation:
        shop = Shop(installation, server=server, bucket=bucket)
        with shop.client:
            yield shop


@contextmanager
def another_api(shop: Shop, *, port: int | None = None, **changed: str) -> Iterator[str]:
    """A second API process of the same installation; its address."""
    lines = shop.installation.haulier("env").stdout.splitlines()
    settings = {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
    port = port or free_port()
    settings |= {"HAULIER_PORT": str(port), "HAULIER_PUBLIC_URL": "", "HAULIER_FILE_URL_TTL_S": str(LINK_S)}
    settings |= (CREDENTIALS if shop.is_s3 else {}) | changed
    argv = [sys.executable, "-m", "haulier", "api"]
    with subprocess.Popen(argv, env=clean_environment(**settings), stderr=subprocess.DEVNULL) as api:
        try:
            eventually(lambda: _answers(f"http://127.0.0.1:{port}/health/ready"))
            yield f"http://127.0.0.1:{port}"
        finally:
            api.send_signal(signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def command(program: str, url: str, target: Path, *options: str) -> list[str]:
    """How docs/downloading.md calls `program`. The same command begins and continues."""
    if program == "curl":
        return ["curl", "-fsSL", "-C", "-", *options, "-o", str(target), url]
    if program == "wget":
        return ["wget", "-nv", "-c", *options, "-O", str(target), url]
    # Without space taken ahead, so that a test sees what has arrived.
    where = ["--file-allocation=none", "-d", str(target.parent), "-o", target.name]
    return ["aria2c", "-q", "-c", "-x8", "-s8", "-k1M", *options, *where, url]


def with_netrc(program: str, netrc: Path) -> list[str]:
    """Options that take the token out of `netrc`, which binds it to one host; wget reads ~/.netrc by itself."""
    challenged = ["--netrc-path", str(netrc), "--http-auth-challenge=true"]
    return {"curl": ["--netrc-file", str(netrc)], "wget": [], "aria2c": challenged}[program]


def throttled(program: str, rate: int) -> list[str]:
    """Options for at most `rate` MiB/s."""
    option = {"curl": "--limit-rate", "wget": "--limit-rate", "aria2c": "--max-overall-download-limit"}[program]
    return [option, f"{rate}M"] if program == "curl" else [f"{option}={rate}{'m' if program == 'wget' else 'M'}"]


def interrupted(argv: list[str], target: Path, *, after: int, **environ: str) -> int:
    """Run `argv`, and press Ctrl-C once `after` bytes of `target` have arrived; how many have."""
    environ = {**os.environ, **environ}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ) as program:

        def look() -> bool:
            assert program.poll() is None, program.stdout.read() if program.stdout else ""
            return stored(target) >= after

        try:
            eventually(look, within_s=60, every_s=0.02)
        finally:
            program.send_signal(signal.SIGINT)
    return stored(target)


def stored(target: Path) -> int:
    """Bytes that are really there: programs with several connections leave holes."""
    return target.stat().st_blocks * 512 if target.exists() else 0


def run(argv: list[str], **environ: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environ})
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)


def sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def noise(path: Path, size: int) -> Path:
    """A file of `size` bytes that nothing compresses."""
    with path.open("wb") as output:
        for _ in range(size >> 20):
            output.write(os.urandom(1 << 20))
    return path
