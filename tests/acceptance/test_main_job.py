"""The main job as a user has it: one command, a real file built, downloaded and verified; through kills."""

import hashlib
import os
import signal
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import Installation, eventually

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(180)]


def put(installation: Installation, key: str, content: bytes) -> None:
    target = installation.home / "store" / key
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def followed(client: httpx.Client, job_id: str, until: str = "completed") -> dict:
    """The job's status as soon as it is `until`, by long-polls."""

    def look() -> dict | None:
        status = client.get(f"/v1/download/status/{job_id}", params={"wait": 5}).raise_for_status().json()
        assert status["status"] in ("queued", "processing", until), status
        return status if status["status"] == until else None

    return eventually(look, within_s=90)


def initiated(client: httpx.Client, file_id: int) -> str:
    answer = client.post("/v1/download/initiate", json={"file_id": file_id})
    assert answer.status_code == 200, answer.text
    return answer.json()["job_id"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo") / "home"
    with Installation(home, "--demo", "--workers", "1", HAULIER_LEASE_S="4") as installation:
        yield installation


def test_a_file_put_into_the_store_is_downloaded_and_verified(demo):
    content = os.urandom(300_000)
    put(demo, "downloads/71234.zip", content)
    with demo.client() as client:
        status = followed(client, initiated(client, 71_234))
        download = httpx.get(status["download_url"])
    assert download.content == content
    assert hashlib.sha256(content).hexdigest() == status["sha256"]


def test_the_token_that_up_prints_works(demo):
    answer = httpx.get(f"{demo.url}/v1/download/jobs", headers={"Authorization": f"Bearer {demo.demo_token()}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("file_id", [70_000, 70_001, 70_002, 70_003])
def test_each_demo_file_is_built_and_its_digest_agrees(demo, tmp_path, file_id):
    target = tmp_path / "file"
    demo.haulier("get", str(file_id), "-o", str(target), HAULIER_USER=f"user-{file_id}")
    with demo.client(user=f"user-{file_id}") as client:
        (job,) = client.get("/v1/download/jobs").json()["jobs"]
    assert hashlib.sha256(target.read_bytes()).hexdigest() == job["sha256"]
    assert target.stat().st_size == job["file_size"]


def test_several_files_are_one_zip_that_unzip_accepts(demo, tmp_path):
    put(demo, "downloads/72001.zip", b"first " * 1000)
    put(demo, "downloads/72002.zip", b"second " * 1000)
    with demo.client(user="batch") as client:
        answer = client.post("/v1/download/initiate", json={"file_ids": [72_001, 72_002]})
        status = followed(client, answer.json()["job_id"])
        target = tmp_path / "files.zip"
        target.write_bytes(httpx.get(status["download_url"]).content)
    assert zipfile.ZipFile(target).testzip() is None
    assert zipfile.ZipFile(target).namelist() == ["72001.zip", "72002.zip", "haulier-manifest.json"]
    assert subprocess.run(["unzip", "-tq", target], check=False).returncode == 0


def test_a_missing_file_fails_with_its_code(demo):
    with demo.client() as client:
        status = followed(client, initiated(client, 99_999_999), until="failed")
    assert status["error"]["code"] == "source_missing"


def test_a_running_job_is_cancelled_and_leaves_nothing(demo):
    with demo.client(user="canceller") as client:
        job_id = initiated(client, 70_004)
        eventually(lambda: client.get(f"/v1/download/status/{job_id}").json()["status"] == "processing")
        assert client.delete(f"/v1/download/cancel/{job_id}").json() == {"job_id": job_id, "status": "cancelled"}
        assert client.delete(f"/v1/download/cancel/{job_id}").status_code == 200
        assert client.get(f"/v1/download/status/{job_id}").json()["status"] == "cancelled"
    assert not (demo.home / "store" / "artifacts" / job_id).exists()


def test_someone_elses_job_does_not_exist(demo):
    put(demo, "downloads/73000.zip", b"private")
    with demo.client(user="owner") as owner, demo.client(user="other") as other:
        job_id = initiated(owner, 73_000)
        assert other.get(f"/v1/download/status/{job_id}").status_code == 404
        assert other.delete(f"/v1/download/cancel/{job_id}").status_code == 404


def test_no_log_line_holds_a_signature_or_a_token(demo):
    with demo.client(user="private") as client:
        put(demo, "downloads/74000.zip", b"content")
        status = followed(client, initiated(client, 74_000))
        httpx.get(status["download_url"]).raise_for_status()
        token = client.headers["Authorization"].removeprefix("Bearer ")
    logs = [demo.log, *Path(demo.home, "logs").glob("*")]
    signature = status["download_url"].rsplit("signature=", 1)[1]
    assert not [log for log in logs if signature in log.read_text() or token in log.read_text()]


def test_a_second_start_on_the_same_home_says_who_holds_it(demo):
    second = demo.haulier("up", check=False)
    assert second.returncode != 0
    assert str(demo.process.pid) in second.stderr
    assert "Traceback" not in second.stderr


def test_env_prints_the_addresses(demo):
    lines = dict(line.split("=", 1) for line in demo.haulier("env").stdout.splitlines())
    assert {"HAULIER_REDIS_URL", "HAULIER_DATABASE_URL", "HAULIER_STORAGE_URL"} <= set(lines)


def test_doctor_finds_a_running_home_healthy(demo):
    doctor = demo.haulier("doctor", check=False)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """One job at a time; files from 75000 on take a while."""
    folder = tmp_path_factory.mktemp("patient")
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(
        '[[rule]]\nids = "75000-75999"\npreparer = "simulate"\nparams = { seconds = 5, size_bytes = 1000 }\n'
    )
    settings = {"HAULIER_LEASE_S": "4", "HAULIER_CONCURRENCY": "1", "HAULIER_CATALOGUE": str(catalogue)}
    with Installation(folder / "home", "--workers", "1", **settings) as installation:
        yield installation


def started(client: httpx.Client, file_id: int) -> str:
    job_id = initiated(client, file_id)
    eventually(lambda: client.get(f"/v1/download/status/{job_id}").json()["status"] == "processing")
    return job_id


def test_a_killed_worker_costs_an_attempt_and_not_the_job(patient):
    with patient.client(user="survivor") as client:
        job_id = started(client, 75_000)
        for pid in patient.workers():
            os.kill(pid, signal.SIGKILL)
        status = followed(client, job_id)
    assert status["attempt"] == 2


def test_valkey_may_lose_everything(patient):
    with patient.client(user="holder", role="premium") as client:
        put(patient, "downloads/74001.zip", b"content")
        jobs = [started(client, 75_001), initiated(client, 75_002), initiated(client, 74_001)]
        servers = [pid for pid in patient.processes() if b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for folder in ("appendonlydir", "dump.rdb"):
            subprocess.run(["rm", "-rf", patient.home / "valkey" / folder], check=True)
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
        for job_id in jobs:
            followed(client, job_id)


def test_a_killed_installation_leaves_no_process_and_goes_on_with_its_jobs(patient):
    with patient.client(user="waiter") as client:
        job_id = started(client, 75_003)
    patient.kill()
    eventually(lambda: not patient.processes(), within_s=20)
    patient.start()
    with patient.client(user="waiter") as client:
        followed(client, job_id)
    assert patient.stop() == 0
    assert not patient.processes()
    patient.start()
