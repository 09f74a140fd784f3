"""How long a job takes that shares an artefact: a whole `haulier up`, an archive of MEMBERS objects.

The first user's job builds it; then USERS others ask for the same, one after the other on the idle system, and follow
their job by long-poll. Beside them, interleaved, as many jobs for archives that nobody has asked for yet.
Prints the medians of the time from request to completion and their ratio.

Run: `.venv/bin/python bench/sharing.py`.
"""

import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
from installation import haulier, token, until_ready

from haulier.embedded.ports import free_port

USERS = 40
MEMBERS, MEMBER_BYTES = 100, 1 << 18
SHARED, FRESH = 70_000, 71_000
CATALOGUE = f"""
[[rule]]
ids = "{SHARED}"
preparer = "archive"
params = {{ prefix = "members/" }}
[[rule]]
ids = "{FRESH}-{FRESH + 999}"
preparer = "archive"
file_name = "fresh-{{file_id}}.zip"
params = {{ prefix = "members/" }}
"""


def take(http: httpx.Client, bearer: str, file_id: int) -> float:
    """Milliseconds from the request to the answer that says completed."""
    headers = {"Authorization": f"Bearer {bearer}"}
    began = time.perf_counter()
    job = http.post("/v1/download/initiate", json={"file_id": file_id}, headers=headers).raise_for_status().json()
    while job["status"] != "completed":
        etag = {"If-None-Match": f'"{job["version"]}-0"'}
        path = f"/v1/download/status/{job['job_id']}?wait=30"
        job = http.get(path, headers=headers | etag).raise_for_status().json()
    return (time.perf_counter() - began) * 1_000


def measure(home: Path, http: httpx.Client) -> None:
    tokens = [token(home, f"user {n}") for n in range(USERS)]
    first = take(http, token(home, "first"), SHARED)
    shared, fresh = [], []
    for n, bearer in enumerate(tokens):
        shared.append(take(http, bearer, SHARED))
        fresh.append(take(http, bearer, FRESH + n))
    share, build = statistics.median(shared), statistics.median(fresh)
    size = MEMBERS * MEMBER_BYTES / 2**20
    print(f"archive of {MEMBERS} objects, {size:.0f} MiB; {USERS} users, ms from request to completed")
    print(f"first build {first:.1f}; builds, median {build:.1f}")
    print(f"shared, median {share:.1f} (p95 {sorted(shared)[int(USERS * 0.95) - 1]:.1f}); ratio {share / build:.3f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder) / "home", free_port()
        members = home / "store" / "members"
        members.mkdir(parents=True)
        for n in range(MEMBERS):
            (members / f"{n:03}.bin").write_bytes(os.urandom(MEMBER_BYTES))
        (Path(folder) / "catalogue.toml").write_text(CATALOGUE)
        environment = os.environ | {"HAULIER_CATALOGUE": f"{folder}/catalogue.toml", "HAULIER_LOG_LEVEL": "warning"}
        environment["HAULIER_LIMITS_FREE"] = "rate=unlimited,quota=unlimited,running=unlimited"
        process = subprocess.Popen(haulier("up", "--home", str(home), "--port", str(port)), env=environment)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=40) as http:
                until_ready(str(http.base_url))
                measure(home, http)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(40)


if __name__ == "__main__":
    main()
