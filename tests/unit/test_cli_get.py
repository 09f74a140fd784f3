"""`haulier get`, `status`, `jobs` and `cancel` as a user runs them, against a loopback API."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from tests.loopback import CONTENT, JOB, SHA256, Loopback, Reply, answer, completed, loopback, problem, ranged, status
from tests.programs import Done, Run, start

INITIATE = "/v1/download/initiate"
STATUS = f"/v1/download/status/{JOB}"
WAITING = Reply(304, b"", {"Retry-After": "1"})


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        server.on("POST", INITIATE, answer(status()))
        server.on("GET", f"/v1/download/file/{JOB}", Reply(307, b"", {"Location": "/store/report.bin?signature=s"}))
        server.on("GET", "/store/report.bin", ranged)
        yield server


async def test_get_saves_a_verified_file_under_its_own_name(api: Loopback, run: Run, tmp_path: Path) -> None:
    working = status(status="processing", version=2, attempt=1, progress=40)
    api.on("GET", STATUS, answer(status(), ETag='"1"'), answer(working, ETag='"2"'), answer(completed()))
    done = await run("get", "70000", "--progress")
    assert done.code == 0, done.stderr
    assert (tmp_path / "report.bin").read_bytes() == CONTENT
    assert done.stdout == b""
    lines = done.stderr.splitlines()
    assert lines[:3] == ["file 70000: queued", "file 70000: processing, 40 %", "file 70000: completed"]
    assert lines[-1].startswith("Saved report.bin (3.1 MB, SHA-256 verified: ")
    assert "secret-token" not in done.stderr
    assert "signature" not in done.stderr


async def test_without_a_terminal_only_what_was_saved_is_told(api: Loopback, run: Run) -> None:
    working = status(status="processing", version=2, attempt=1, progress=40)
    api.on("GET", STATUS, answer(working, ETag='"2"'), answer(completed()))
    (line,) = (await run("get", "70000")).stderr.splitlines()
    assert line.startswith("Saved report.bin (3.1 MB, SHA-256 verified: ")


NO_FOLDER = "There is no folder none. Make it first, or choose another place."


def events(done: Done) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]


async def test_get_json_prints_an_object_for_each_event(api: Loopback, run: Run, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(completed()))
    done = await run("get", "70000", "--json")
    assert (done.code, done.stderr) == (0, "")
    told = events(done)
    assert [each["event"] for each in told if each["event"] != "downloading"] == ["status", "status", "saved"]
    facts = {"path": "report.bin", "size": len(CONTENT), "sha256": SHA256, "verified": True}
    assert told[-1] == {"event": "saved"} | facts
    assert told[1]["job"]["status"] == "completed"
    assert (tmp_path / "report.bin").exists()


async def test_an_error_is_the_last_event(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(completed()))
    done = await run("get", "70000", "--json", "-o", "none/report.bin")
    assert done.code == 1
    assert events(done) == [{"event": "error", "code": "download_failed", "message": NO_FOLDER}]
    assert NO_FOLDER in done.stderr
    assert api.to(INITIATE) == []  # before anything was asked for
    assert (await run("get", "70000", "-o", "made/")).code == 0
    api.on("POST", INITIATE, problem(401, "unauthenticated"))
    done = await run("get", "70000", "--json")
    assert (done.code, events(done)[-1]["code"]) == (6, "unauthenticated")


@pytest.mark.parametrize(
    ("status_", "code", "exit_code"),
    [(403, "forbidden", 6), (429, "quota_exceeded", 7), (409, "job_not_ready", 1)],
)
async def test_each_kind_of_refusal_has_its_exit_code(
    api: Loopback, run: Run, status_: int, code: str, exit_code: int
) -> None:
    api.on("POST", INITIATE, problem(status_, code, Retry_After="90000"))
    assert (await run("get", "70000")).code == exit_code


async def test_an_address_without_a_server_exits_with_8(run: Run) -> None:
    done = await run("get", "70000", "--url", "http://127.0.0.1:9")
    assert done.code == 8
    assert "Is it running" in done.stderr


async def test_damage_exits_with_9(api: Loopback, run: Run, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(completed(sha256="0" * 64)))
    assert (await run("get", "70000")).code == 9
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_the_same_again_is_passed_over_and_another_file_is_not(api: Loopback, run: Run, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(completed()))
    (tmp_path / "report.bin").write_bytes(CONTENT)
    done = await run("get", "70000")
    assert (done.code, "report.bin is there already, SHA-256 verified" in done.stderr) == (0, True), done.stderr
    told = events(await run("get", "70000", "--json"))[-1]
    facts = {"path": "report.bin", "size": len(CONTENT), "sha256": SHA256, "verified": True, "already": True}
    assert told == {"event": "saved"} | facts
    assert [each.path for each in api.seen if each.path.startswith("/store")] == []
    (tmp_path / "report.bin").write_bytes(CONTENT[:-1] + b"?")
    done = await run("get", "70000")
    assert (done.code, "exists already" in done.stderr) == (1, True)


async def test_quiet_says_nothing(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(completed()))
    done = await run("get", "70000", "-q")
    assert (done.code, done.stdout, done.stderr) == (0, b"", "")


async def test_a_job_is_taken_up(api: Loopback, run: Run, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(status(), ETag='"1"'), answer(completed()))
    assert (await run("get", JOB.upper())).code == 0
    assert api.to(INITIATE) == []
    assert (tmp_path / "report.bin").read_bytes() == CONTENT


async def test_without_resume_the_part_is_not_used(api: Loopback, run: Run, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(completed()))
    for option, expected in (("--no-resume", None), ("--resume", "bytes=1000-")):
        (tmp_path / "report.bin").unlink(missing_ok=True)
        (tmp_path / "report.bin.part").write_bytes(CONTENT[:1_000])
        (tmp_path / "report.bin.part.json").write_bytes(msgspec.json.encode({"etag": '"v1"', "size": len(CONTENT)}))
        assert (await run("get", "70000", option)).code == 0
        assert api.seen[-1].headers.get("range") == expected


async def test_get_to_stdout_is_the_bytes_alone(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(completed()))
    api.on("GET", "/store/report.bin", lambda seen: ranged(seen, cut_after=2_000_000), ranged)
    done = await run("get", "70000", "-o", "-")
    assert (done.code, done.stdout) == (0, CONTENT), done.stderr
    assert "Trying again" in done.stderr


async def test_a_hostile_file_name_stays_in_the_folder(api: Loopback, run: Run, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(completed(file_name="../../evil\x1b[2J.sh")))
    done = await run("get", "70000")
    assert done.code == 0
    assert (tmp_path / "_.._evil[2J.sh").read_bytes() == CONTENT
    assert "\x1b" not in done.stderr


async def test_a_failed_job_exits_with_3(api: Loopback, run: Run) -> None:
    error = {"code": "source_missing", "message": "It is gone."}
    api.on("GET", STATUS, answer(status(status="failed", version=3, error=error)))
    done = await run("get", "70000")
    assert done.code == 3
    assert done.stderr.splitlines()[-1] == f"The job {JOB} failed. It is gone. [source_missing]"


async def test_a_cancelled_job_exits_with_4(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(status(status="cancelled", version=3)))
    assert (await run("get", "70000")).code == 4
    assert (await run("status", JOB, "--watch")).code == 4
    assert (await run("status", JOB)).code == 0


async def test_ctrl_c_leaves_the_job_and_says_how_to_go_on(api: Loopback, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(status(), ETag='"1"'), WAITING)
    process = await start(api, tmp_path, "get", "70000", "-o", "x.bin")
    async with asyncio.timeout(20):
        while len(api.to(STATUS)) < 2:  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert "`haulier get 70000 -o x.bin` continues" in err.decode()
    assert f"`haulier cancel {JOB}` stops it" in err.decode()
    assert "Traceback" not in err.decode()


async def test_sigterm_leaves_the_job_as_well(api: Loopback, tmp_path: Path) -> None:
    api.on("GET", STATUS, answer(status(), ETag='"1"'), WAITING)
    process = await start(api, tmp_path, "get", "70000")
    async with asyncio.timeout(20):
        while len(api.to(STATUS)) < 2:  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)
    process.terminate()
    _, err = await process.communicate()
    assert process.returncode == 130
    assert "the job goes on" in err.decode()


async def test_an_api_error_is_a_sentence_with_its_request_id(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, problem(404, "job_not_found", detail="There is no such job, or it is not yours."))
    done = await run("status", JOB)
    assert done.code == 1
    assert done.stderr == "There is no such job, or it is not yours. [job_not_found, request r-1]\n"


async def test_status_is_readable_and_json(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(completed(attempt=2)))
    text = (await run("status", JOB)).stdout.decode()
    assert "status      completed" in text
    assert "attempt     2" in text
    assert "size        3.1 MB" in text
    assert msgspec.json.decode((await run("status", JOB, "--json")).stdout)["job_id"] == JOB


async def test_jobs_is_a_table_with_whole_ids(api: Loopback, run: Run) -> None:
    page = {"jobs": [completed(), status()], "total": 7, "page": 1, "limit": 2, "next_cursor": "c"}
    api.on("GET", "/v1/download/jobs", answer(page))
    done = await run("jobs", "--limit", "2", "--status", "completed")
    assert done.code == 0
    assert api.seen[0].query == {"limit": "2", "status": "completed"}
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["job", "for", "status", "progress", "age", "size"]
    assert lines[1].startswith(f"{JOB}  file 70000  completed")
    assert "2 of 7 jobs" in done.stderr
    assert msgspec.json.decode((await run("jobs", "--json")).stdout)["total"] == 7


async def test_cancel_says_so_or_why_not(api: Loopback, run: Run) -> None:
    path = f"/v1/download/cancel/{JOB}"
    api.on("DELETE", path, answer({"job_id": JOB, "status": "cancelled"}), problem(409, "job_finished"))
    assert (await run("cancel", JOB)).stdout.decode() == f"Cancelled {JOB}\n"
    done = await run("cancel", JOB)
    assert (done.code, done.stderr) == (1, "No. [job_finished, request r-1]\n")


async def test_what_is_chosen_is_sent_as_json_or_text(api: Loopback, run: Run) -> None:
    api.on("GET", STATUS, answer(completed()))
    assert (await run("get", "70000", "70000", "-q")).code == 0
    assert msgspec.json.decode(api.seen.pop(0).body) == {"file_id": 70_000}  # once
    api.seen.clear()
    chosen = [
        "--force",
        "-p",
        "columns=6",
        "--param",
        "title=a = b",
        "-p",
        "deep=[true]",
        "-p",
        'text="6"',
        "-p",
        "empty=",
    ]
    assert (await run("get", "70000", *chosen, "--allow-missing")).code == 0
    assert msgspec.json.decode(api.seen[0].body) == {
        "file_id": 70_000,
        "params": {"columns": 6, "title": "a = b", "deep": [True], "text": "6", "empty": ""},
        "allow_missing": True,
    }


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["70000", "--param", "columns"], "'columns' is not NAME=VALUE"),
        (["70000", "--param", "=6"], "'=6' is not NAME=VALUE"),
        (["70000", "70001", "--param", "columns=6"], "--param chooses for one file"),
        (["99"], "'99' is neither a number from 10000 to 100000000 nor the id of a job"),
        (["70000", JOB], "a job's id stands alone"),
        ([JOB, "--batch"], "too late for --batch"),
        ([JOB, "--allow-missing", "--notify", JOB], "too late for --allow-missing and --notify"),
        (["1" * 5_000], "is neither a number"),
        (["70000", "-o", ""], "--output is empty"),
        (["70000", "--url", "http://127.0.0.1:99999"], "HAULIER_URL: must be an http:// or https:// address"),
        (["70000", "--url", "http://u:p@127.0.0.1"], "HAULIER_URL: must not have a user name or password"),
        (["70000", "--token", "Bearer x"], "It is given without the word Bearer."),
    ],
)
async def test_a_choice_that_cannot_be_sent_is_refused_at_once(
    api: Loopback, run: Run, args: list[str], sentence: str
) -> None:
    done = await run("get", *args)
    assert done.code == 2
    assert sentence in done.stderr
    assert api.seen == []


async def test_each_wrong_parameter_is_told_on_its_own_line(api: Loopback, run: Run) -> None:
    errors = [{"pointer": "params.a", "detail": "must be text"}, {"pointer": "params.b", "detail": "is unknown"}]
    body = {"type": "about:blank", "title": "x", "status": 400, "detail": "No.", "instance": "/", "request_id": "r-1"}
    api.on("POST", INITIATE, answer(body | {"code": "invalid_request", "errors": errors}, code=400))
    done = await run("get", "70000", "-p", "a=1", "-p", "b=1")
    assert done.code == 1
    assert done.stderr.splitlines()[1:] == ["  params.a: must be text", "  params.b: is unknown"]
