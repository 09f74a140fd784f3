"""Starting Haulier for a benchmark: the program, a token, and waiting until it serves."""

import subprocess
import sys
import time
from pathlib import Path

import httpx


def haulier(*words: str) -> list[str]:
    """The command line of the program with `words`."""
    return [sys.executable, "-m", "haulier", *words]


def token(home: Path, user: str) -> str:
    """A token of `user` for the running home."""
    made = subprocess.run(haulier("token", "--user", user, "--home", str(home)), capture_output=True, check=True)
    return made.stdout.decode().strip()


def until_ready(url: str) -> None:
    """Wait until the API at `url` takes requests."""
    with httpx.Client(base_url=url, timeout=5) as http:
        while True:
            try:
                if http.get("/health/ready").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
