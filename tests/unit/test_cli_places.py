"""Where nothing can be saved or written: told before anything is prepared, in a sentence, and as no defect."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from haulier.client import DownloadFailed
from haulier.client.sinks import PartFile
from tests.loopback import JOB, Loopback, answer, complete, completed, loopback
from tests.programs import Run, start

STATUS = f"/v1/download/status/{JOB}"
JOBS = "/v1/download/jobs"


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        complete(server)
        page = {"jobs": [completed()], "total": 1, "page": 1, "limit": 20, "next_cursor": None}
        server.on("GET", JOBS, answer(page))
        yield server


async def test_a_pipe_is_no_receipt_and_nobody_waits_for_it(api: Loopback, run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for args in (("receipt", JOB, "-o", "pipe"), ("get", "70000", "--receipt", "pipe")):
        done = await run(*args)
        assert (done.code, "exists already" in done.stderr, api.seen) == (1, True, [])


@pytest.mark.parametrize("option", ["--force", "--resume"])
async def test_what_is_no_file_is_not_replaced(api: Loopback, run: Run, tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = await run("get", "70000", "-o", "pipe", option)
    assert (done.code, "neither a file nor a folder" in done.stderr, api.seen) == (1, True, [])
    with pytest.raises(DownloadFailed):
        async with PartFile.open(tmp_path / "pipe", force=True):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    "args",
    [
        ("-o", "/proc/file.zip"),
        ("-o", "/proc/"),
        ("-o", "/proc/new/"),
        ("-o", "a.zip/x"),
        ("-o", "a.zip/x/"),
        ("-o", f"{'x' * 300}/"),
        ("--batch", "-o", "/proc/new/"),
        ("--batch", "-o", "a.zip/x"),
        ("--receipt", "/nonexistent/r.json"),
        ("--receipt", "/proc/r.json"),
        ("--receipt", "folder"),
    ],
)
async def test_where_nothing_can_be_saved_nothing_is_prepared(
    api: Loopback, run: Run, tmp_path: Path, args: tuple[str, ...]
) -> None:
    (tmp_path / "a.zip").write_bytes(b"mine")
    (tmp_path / "folder").mkdir()
    done = await run("get", "70000", *args)
    assert (done.code, api.seen) == (1, []), done.stderr
    assert "defect" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "folder"]  # noqa: PTH208


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "args",
    [
        ("get", "70000", "-o", "-"),
        ("get", "70000", "--json"),
        ("status", JOB),
        ("status", JOB, "--json"),
        ("jobs",),
        ("jobs", "--json"),
    ],
)
async def test_a_stdout_that_is_full_is_no_defect(api: Loopback, tmp_path: Path, args: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123, ASYNC230
        process = await start(api, tmp_path, *args, stdout=full)
        _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert "stdout cannot be written: No space left on device." in err.decode()
    for unwanted in ("defect", "Exception", "Traceback"):
        assert unwanted not in err.decode()


LATIN_1 = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("args", [("channels", "--help"), ("jobs",), ("status", JOB), ("get", "70000")])
async def test_a_locale_without_some_characters_is_no_error(api: Loopback, run: Run, args: tuple[str, ...]) -> None:
    api.on("GET", STATUS, answer(completed(file_name="Preise in €.pdf")))
    done = await run(*args, **LATIN_1)
    assert done.code == 0, done.stderr


async def test_json_is_utf_8_in_any_locale(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(completed(file_name="Preise in €.pdf")))
    for args in (("status", JOB, "--json"), ("get", "70000", "--json")):
        assert "Preise in €.pdf" in (await run(*args, **LATIN_1)).stdout.decode()
