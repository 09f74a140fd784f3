"""A whole Haulier as a user starts it: `haulier up` in a folder of its own, on a port of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from haulier.embedded.ports import free_port

READY_S = 60
STOP_S = 40


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without any HAULIER_ variable, plus `settings`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HAULIER_")} | settings


def eventually(check: Callable[[], object], *, within_s: float = 30, every_s: float = 0.05) -> object:
    """The first true answer of `check`; AssertionError after `within_s`. Waits for conditions, not for time."""
    end = time.monotonic() + within_s
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {within_s} s"
        time.sleep(every_s)


class Installation:
    """A running `haulier up`; a context manager."""

    def __init__(self, home: Path, *options: str, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.with_suffix(".log")
        self._options = options
        self._settings = settings
        self._logged = 0  # bytes, by earlier starts
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Installation":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._logged = log.tell()
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "haulier",
                    "up",
                    "--home",
                    str(self.home),
                    "--port",
                    str(self.port),
                    *self._options,
                ],
                env=clean_environment(HAULIER_LOG_FORMAT="json", **self._settings),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        eventually(self._ready, within_s=READY_S)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            answered = httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False
        # The greeting comes last: other commands find the home then, too.
        return answered and b"Bearer" in self.log.read_bytes()[self._logged :]

    def stop(self) -> int:
        """Ctrl-C; answers the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def processes(self) -> list[int]:
        """Living processes that have this home, or its address, on their command line or in their environment."""
        marks = (str(self.home).encode(), str(self.port).encode())
        return [pid for pid in _pids() if any(mark in _words(pid) for mark in marks)]

    def workers(self) -> list[int]:
        """The pids of the `haulier worker` processes of this installation."""
        found = []
        for pid in self.processes():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"haulier" in command and b"worker" in command:
                found.append(pid)
        return found

    def token(self, user: str = "anna", role: str = "free") -> str:
        return self.haulier("token", "--user", user, "--role", role).stdout.strip()

    def client(self, user: str = "anna", role: str = "free") -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token(user, role)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=40)

    def haulier(self, *words: str, check: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the program against this home."""
        return subprocess.run(
            [sys.executable, "-m", "haulier", *words],
            env=clean_environment(HAULIER_HOME=str(self.home), **settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=check,
        )

    def demo_token(self) -> str:
        """The token of the curl line that `up` printed."""
        return re.search(r"Bearer (\S+?)['\"]", self.log.read_text().replace("\n", ""))[1]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _words(pid: int) -> bytes:
    """Command line and environment of a living process; empty for one that is gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "Z" or pid == os.getpid():
            return b""
        return Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
