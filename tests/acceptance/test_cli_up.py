"""The program as a newcomer meets it: `up --demo`, then the other commands beside it, without any setting."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from haulier.embedded.ports import free_port
from tests.receipts import archive

READY_S = 60
STOP_S = 40

pytestmark = [pytest.mark.timeout(150), pytest.mark.xdist_group("up")]


class Beside:
    """Runs commands beside a running `up`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("HAULIER_")}

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "haulier", *args]

    def run(self, *args: str, code: int = 0) -> tuple[str, str]:
        """Its stdout and stderr, after it ended with `code`."""
        done = subprocess.run(
            self.argv(*args), cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    commands = Beside(tmp_path_factory.mktemp("up"))
    port = free_port()
    log = commands.folder / "up.log"
    with log.open("wb") as output:
        argv = commands.argv("up", "--demo", "--port", str(port))
        up = subprocess.Popen(argv, cwd=commands.folder, env=commands.environ, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + READY_S
        while subprocess.run(
            commands.argv("env"), cwd=commands.folder, env=commands.environ, capture_output=True, check=False
        ).returncode:
            assert up.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        yield commands
    finally:
        up.send_signal(signal.SIGINT)
        try:
            up.wait(STOP_S)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()
            raise


def job_told(out) -> str:
    """The job of the first event of `get --json`."""
    return msgspec.json.decode(out.splitlines()[0])["job"]["job_id"]


def test_doctor_finds_everything_in_place(beside: Beside) -> None:
    out, _ = beside.run("doctor")
    assert "✗" not in out
    for subject in ("settings", "tokens", "receipts", "catalogue", "ledger", "clock", "engine", "storage"):
        assert f"✓ {subject}" in out


def test_env_has_what_another_worker_needs(beside: Beside) -> None:
    out, _ = beside.run("env")
    names = {line.partition("=")[0] for line in out.splitlines()}
    assert {"HAULIER_REDIS_URL", "HAULIER_DATABASE_URL", "HAULIER_STORAGE_URL", "HAULIER_JWT_SECRET"} <= names


def test_a_file_in_the_store_is_got_and_verified(beside: Beside) -> None:
    source = beside.folder / ".haulier" / "store" / "downloads" / "77000.zip"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(os.urandom(3_000_000))
    _, err = beside.run("get", "77000", "-o", "mine.zip", "--user", "ada")
    assert "Saved mine.zip (3.0 MB" in err
    assert (beside.folder / "mine.zip").read_bytes() == source.read_bytes()


def test_a_file_is_verified_against_its_receipt_and_a_changed_one_is_not(beside: Beside) -> None:
    source = beside.folder / ".haulier" / "store" / "downloads" / "77010.zip"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(archive())
    beside.run("get", "77010", "-o", "report.zip", "--receipt", "report.receipt.json")
    beside.run("receipt", "--keys", "-o", "receipt-keys.json")
    offline = ("--receipt", "report.receipt.json", "--keys", "receipt-keys.json")
    out, _ = beside.run("verify", "report.zip", *offline)
    assert "3 in the manifest: 3 good" in out
    changed = bytearray(archive())
    changed[60] ^= 1
    (beside.folder / "changed.zip").write_bytes(changed)
    out, _ = beside.run("verify", "changed.zip", *offline, code=1)
    assert "2 good, 1 damaged" in out


def test_several_files_are_one_zip_and_the_job_is_listed(beside: Beside) -> None:
    downloads = beside.folder / ".haulier" / "store" / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    for number in (77001, 77002):
        (downloads / f"{number}.zip").write_bytes(os.urandom(100_000))
    out, _ = beside.run("get", "77001", "77002", "-o", "both.zip", "--json", "--user", "bea")
    assert '"verified":true' in out
    with zipfile.ZipFile(beside.folder / "both.zip") as both:
        assert both.testzip() is None
        assert both.namelist() == ["77001.zip", "77002.zip", "haulier-manifest.json"]
    job_id = job_told(out)
    listed, _ = beside.run("jobs", "--user", "bea")
    assert job_id in listed
    shown, _ = beside.run("status", job_id, "--user", "bea")
    assert "completed" in shown
    _, refused = beside.run("cancel", job_id, "--user", "bea", code=1)
    assert "[job_finished" in refused


def test_a_file_that_does_not_exist_exits_with_3(beside: Beside) -> None:
    _, err = beside.run("get", "77999", "--user", "cleo", code=3)
    assert "[source_missing]" in err


def test_another_user_s_job_is_not_there(beside: Beside) -> None:
    out, _ = beside.run("get", "77999", "--user", "dan", "--json", code=3)
    _, err = beside.run("status", job_told(out), "--user", "eve", code=1)
    assert "[job_not_found" in err


def test_a_second_up_on_the_same_home_says_who_holds_it(beside: Beside) -> None:
    _, err = beside.run("up", code=1)
    assert "is in use by process" in err
