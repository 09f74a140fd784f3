"""Ctrl-C in a real terminal: the job is left, cancelled, or goes on."""

import asyncio
import os
import pty
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from haulier.cli.interrupts import QUESTION, Choice, choice_of
from tests.loopback import CONTENT, JOB, Loopback, Reply, Seen, answer, completed, loopback, problem, ranged, status

INITIATE = "/v1/download/initiate"
EVENTS = "/v1/download/events"
STREAM = {"Content-Type": "text/event-stream"}
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"  # the cursor
STATUS = f"/v1/download/status/{JOB}"


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self._over = asyncio.Event()
        self.shown = ""
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            self.shown += os.read(self._master, 65_536).decode(errors="replace")
        except OSError:  # nobody has the terminal any more, and all of it was read
            asyncio.get_running_loop().remove_reader(self._master)
            self._over.set()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(20):
            while text not in self.shown:  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.02)

    async def interrupted(self) -> None:
        """Press Ctrl-C; the question is there."""
        self.type("\x03")
        await self.shows(QUESTION.strip())

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            code = await self.process.wait()
            await self._over.wait()
        return code


@pytest.fixture
async def api():
    async with loopback() as server:
        server.on("POST", INITIATE, answer(status()))
        server.on("GET", STATUS, answer(status(), ETag='"1"'), Reply(304, b"", {"Retry-After": "1"}))
        server.on("GET", EVENTS, problem(503, "too_many_streams"))
        server.on("DELETE", f"/v1/download/cancel/{JOB}", answer({"job_id": JOB, "status": "cancelled"}))
        yield server


@asynccontextmanager
async def getting(api: Loopback, folder: Path, *args: str, looked=lambda api: len(api.to(STATUS)) >= 2, **env: str):
    """`haulier get 70000`, or `haulier` with other `args`, in a terminal, once the API was `looked` at."""
    master, slave = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAULIER_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "haulier", *(args or ("get", "70000"))),
        cwd=folder,
        env=kept | {"HAULIER_URL": api.url, "HAULIER_TOKEN": "t", "TERM": "xterm", "COLUMNS": "100"} | env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=_in_a_session_of_its_own,
    )
    os.close(slave)
    terminal = Terminal(process, master)
    try:
        async with asyncio.timeout(20):
            while not looked(api):  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.02)
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)


def _in_a_session_of_its_own() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def test_the_job_is_left_running(api, tmp_path):
    async with getting(api, tmp_path) as terminal:
        await terminal.interrupted()
        terminal.type("l\n")
        assert await terminal.ended() == 130
        assert "the job goes on" in terminal.shown
        assert f"haulier cancel {JOB}" in terminal.shown.replace("\r\n", "")
    assert not [seen for seen in api.seen if seen.method == "DELETE"]


async def test_the_job_is_cancelled(api, tmp_path):
    async with getting(api, tmp_path) as terminal:
        await terminal.interrupted()
        terminal.type("c\n")
        assert await terminal.ended() == 4
        assert f"Cancelled {JOB}." in terminal.shown
    assert [seen.path for seen in api.seen if seen.method == "DELETE"] == [f"/v1/download/cancel/{JOB}"]


async def test_it_goes_on(api, tmp_path):
    async with getting(api, tmp_path) as terminal:
        await terminal.interrupted()
        api.on("GET", STATUS, answer(completed()))
        api.on("GET", f"/v1/download/file/{JOB}", ranged)
        terminal.type("g\n")
        assert await terminal.ended() == 0
    assert (tmp_path / "report.bin").read_bytes() == CONTENT


async def test_a_second_ctrl_c_leaves_at_once(api, tmp_path):
    async with getting(api, tmp_path) as terminal:
        await terminal.interrupted()
        terminal.type("\x03")
        assert await terminal.ended() == 130
    assert not [seen for seen in api.seen if seen.method == "DELETE"]


async def test_a_job_that_completed_before_it_could_be_cancelled_is_downloaded(api, tmp_path):
    def just_before(_seen: Seen) -> Reply:
        api.on("GET", STATUS, answer(completed()))
        return problem(409, "job_finished", detail="The job has completed.")

    api.on("DELETE", f"/v1/download/cancel/{JOB}", just_before)
    api.on("GET", f"/v1/download/file/{JOB}", ranged)
    async with getting(api, tmp_path) as terminal:
        await terminal.interrupted()
        terminal.type("c\n")
        assert await terminal.ended() == 0
    assert (tmp_path / "report.bin").read_bytes() == CONTENT


async def test_what_is_said_while_the_question_is_open_has_a_line_of_its_own(api, tmp_path):
    async with getting(api, tmp_path) as terminal:
        await terminal.interrupted()
        api.on("GET", f"/v1/download/file/{JOB}", ranged)
        api.on("GET", STATUS, answer(completed()))
        assert await terminal.ended() == 0
    assert [line for line in terminal.shown.splitlines() if line.startswith("Saved report.bin")]


@pytest.mark.parametrize("args", [("get", "70000"), ("status", JOB, "--watch"), ("watch",)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_terminal_is_left_as_it_was(api, tmp_path, args, number):
    api.on("GET", STATUS, answer(status(), ETag='"1"'))
    async with getting(api, tmp_path, *args, looked=lambda api: len(api.seen) >= 2) as terminal:
        await terminal.shows(HIDDEN)
        terminal.process.send_signal(number)
        assert await terminal.ended() == (0 if args == ("watch",) else 130)
    assert terminal.shown.rindex(SHOWN) > terminal.shown.rindex(HIDDEN)


@pytest.mark.parametrize("args", [("get", "70000"), ("watch",)])
async def test_a_dumb_terminal_gets_lines(api, tmp_path, args):
    api.on("GET", EVENTS, Reply(200, b"id: 1\nevent: status\ndata: %b\n\n" % msgspec.json.encode(status()), STREAM))
    async with getting(api, tmp_path, *args, looked=lambda api: api.seen, TERM="dumb") as terminal:
        await terminal.shows("file 70000: queued")
        terminal.process.terminate()
        await terminal.ended()
    assert "\x1b" not in terminal.shown


@pytest.mark.parametrize(
    ("line", "choice"),
    [
        ("c\n", Choice.CANCEL),
        ("Cancel", Choice.CANCEL),
        (" g ", Choice.GO_ON),
        ("", Choice.LEAVE),
        ("?\n", None),
        ("\n", None),
    ],
)
def test_what_is_unclear_is_asked_again(line, choice):
    assert choice_of(line) is choice
