"""Leaving `get`: with a stdout that nobody reads, and what it says about going on."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from haulier.cli import signals
from tests.loopback import CONTENT, JOB, Loopback, Reply, answer, complete, completed, loopback, status
from tests.programs import start
from tests.waiting import eventually

STATUS = f"/v1/download/status/{JOB}"
FILE = f"/v1/download/file/{JOB}"
BATCH = "0190a6c0-0000-7000-8000-0000000000ba"


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        complete(server)
        yield server


async def started_into_a_full_pipe(
    url: str, folder: Path, *args: str, unheard_s: float, with_stderr: bool = False
) -> tuple[asyncio.subprocess.Process, int]:
    """The program, whose stdout (or stderr, too) is the end of a pipe that takes no byte more; and the other end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, bytes(65_536))
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    program = f"import haulier.cli.signals as s; s.UNHEARD_S = {unheard_s}; from haulier.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *args),
        cwd=folder,
        env=os.environ | {"HAULIER_URL": url, "HAULIER_TOKEN": "t"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=writing,
        stderr=writing if with_stderr else asyncio.subprocess.PIPE,
    )
    os.close(writing)
    return process, reading


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_one_signal_ends_a_download_into_a_pipe_that_nobody_reads(
    api: Loopback, tmp_path: Path, number: signal.Signals
) -> None:
    # Only a loop that hears the signal says how to go on: it has the time to.
    process, reading = await started_into_a_full_pipe(api.url, tmp_path, "get", "70000", "-o", "-", unheard_s=60)
    await eventually(lambda: api.to(FILE))
    await asyncio.sleep(0.3)  # it hangs in its write now
    process.send_signal(number)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    os.close(reading)
    assert process.returncode == 130
    assert "`haulier get 70000 -o -` downloads it again" in err.decode()
    assert "Traceback" not in err.decode()
    assert "Fatal" not in err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_ends_json_that_nobody_reads(api: Loopback, tmp_path: Path, number: signal.Signals) -> None:
    process, reading = await started_into_a_full_pipe(api.url, tmp_path, "get", "70000", "--json", unheard_s=0.2)
    await eventually(lambda: api.seen)
    await asyncio.sleep(0.3)
    process.send_signal(number)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    os.close(reading)
    assert process.returncode == 130
    assert err.startswith(b"Interrupted")


@pytest.mark.parametrize("args", [("--json",), ("-o", "-")], ids=" ".join)
async def test_one_signal_ends_a_program_of_which_nobody_reads_anything(
    api: Loopback, tmp_path: Path, args: tuple[str, ...]
) -> None:
    process, reading = await started_into_a_full_pipe(
        api.url, tmp_path, "get", "70000", *args, unheard_s=0.2, with_stderr=True
    )
    await eventually(lambda: api.seen)
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 130
    os.close(reading)


class Hearing(threading.Event):
    """Heard, or not, at the look of this number."""

    def __init__(self, *, at: int) -> None:
        super().__init__()
        self.looks: list[float | None] = []
        self._at = at

    def wait(self, timeout: float | None = None) -> bool:
        self.looks.append(timeout)
        return len(self.looks) == self._at


@pytest.mark.parametrize(("at", "codes", "said"), [(1, [], ""), (10, [], ""), (11, [130], "How to go on.\n")])
def test_a_pause_of_the_program_is_one_look_of_ten(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], at: int, codes: list[int], said: str
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    hearing = Hearing(at=at)
    signals._end_unless(hearing, lambda: "How to go on.")
    assert (ended, capfd.readouterr().err) == (codes, said)
    assert set(hearing.looks) == {signals.UNHEARD_S / 10}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_ends_json_that_waits_for_an_answer_and_has_no_reader(
    tmp_path: Path, number: signal.Signals
) -> None:
    asked = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()  # until the program is gone
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        process, reading = await started_into_a_full_pipe(url, tmp_path, "get", "70000", "--json", unheard_s=2)
        await eventually(asked.is_set)
        process.send_signal(number)
        _, err = await asyncio.wait_for(process.communicate(), 20)
    os.close(reading)
    assert (process.returncode, err) == (130, b"Interrupted.\n")


async def test_a_pipe_that_is_read_slowly_gets_everything(api: Loopback, tmp_path: Path) -> None:
    process = await start(api, tmp_path, "get", "70000", "-o", "-")
    assert process.stdout is not None
    await asyncio.sleep(0.3)
    assert await process.stdout.read() == CONTENT
    assert await process.wait() == 0


async def test_a_reader_that_goes_away_is_no_traceback(api: Loopback, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(completed()))
    process = await start(api, tmp_path, "get", "70000", "-o", "-")
    assert process.stdout is not None
    await process.stdout.read(10)
    process.stdout._transport.close()  # type: ignore[attr-defined]
    assert process.stderr is not None
    err = (await process.stderr.read()).decode()
    assert await process.wait() == 1
    assert "Traceback" not in err
    assert "Exception" not in err


@pytest.mark.parametrize("batch", [False, True])
async def test_the_commands_that_are_told_ask_the_same_for_the_same_user(
    api: Loopback, tmp_path: Path, batch: bool
) -> None:
    counts = dict.fromkeys(("queued", "processing", "completed", "failed", "cancelled", "forgotten"), 0)
    stands = {"batch_id": BATCH, "created_at": "2026-11-23T10:00:00.000Z", "total": 1, "over": False, "counts": counts}
    looked = f"/v1/download/batch/{BATCH}" if batch else STATUS
    if batch:
        accepted = {"batch_id": BATCH, "mode": "jobs", "total": 1, "joined": 0, "jobs": []}
        api.on("POST", "/v1/download/initiate", answer(accepted))
        api.on("GET", looked, answer(stands))
    else:
        api.on("GET", looked, answer(status(), ETag='"1"'), Reply(304, b"", {"Retry-After": "1"}))
    wanted = ["--batch", "70000"] if batch else ["70000"]
    where = ["--user", "anna", "--home", "my home"]
    process = await start(api, tmp_path, "get", *wanted, *where)
    await eventually(lambda: api.to(looked))
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    stop = f"--batch {BATCH}" if batch else JOB
    assert f"`haulier cancel {stop} --user anna --home 'my home'` stops" in err.decode()
    assert "--user anna --home 'my home'` continues" in err.decode()


async def test_ctrl_c_while_the_program_is_read_from_disk_is_no_traceback() -> None:
    reading = (
        "import builtins, haulier.cli\n"
        "found = builtins.__import__\n"
        "def interrupted(name, *args, **options):\n"
        "    if name == 'typer.main':\n"
        "        raise KeyboardInterrupt\n"
        "    return found(name, *args, **options)\n"
        "builtins.__import__ = interrupted\n"
        "haulier.cli.main()\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", reading, stderr=asyncio.subprocess.PIPE)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (130, b"Interrupted.\n")
