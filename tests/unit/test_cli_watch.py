"""`haulier watch` and what completes in a shell, as a user runs them, against a loopback API."""

import io
import os

import msgspec
import pytest
from rich.console import Console

from haulier.cli.watching import Jobs, LineScreen, TableScreen
from haulier.clock import SYSTEM_CLOCK
from haulier.wire import JobStatus
from tests.loopback import JOB, Reply, completed, loopback, problem, status

OTHER = "0190a6c0-0000-7000-8000-000000000002"
ALL = "/v1/download/events"


def stream(*jobs: object) -> Reply:
    told = [b"id: 5\nevent: status\ndata: %b\n\n" % msgspec.json.encode(job) for job in jobs]
    ready = b"id: 5\nevent: ready\ndata: {}\n\n"
    return Reply(200, b"retry: 10\n\n" + b"".join(told) + ready, {"Content-Type": "text/event-stream"})


@pytest.fixture
async def api():
    async with loopback() as server:
        yield server


async def test_watch_once_is_a_table(api, run):
    running = status(job_id=OTHER, status="processing", version=2, attempt=1, progress=40)
    api.on("GET", ALL, stream(status(queue_position=3), running))
    done = await run("watch", "--once")
    assert done.code == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["job", "file", "status", "how", "it", "stands"]
    assert "processing" in lines[1]  # the newest stands first
    assert "40 %" in lines[1]
    assert "position 3" in lines[2]
    assert [line.split()[0] for line in lines[1:]] == [OTHER, JOB]  # whole, also where no terminal is that wide


async def test_watch_json_is_a_status_a_line(api, run):
    api.on("GET", ALL, stream(completed()))
    done = await run("watch", "--once", "--json")
    assert [msgspec.json.decode(line)["job_id"] for line in done.stdout.splitlines()] == [JOB]


async def test_watch_without_jobs_says_so(api, run):
    api.on("GET", ALL, stream())
    assert (await run("watch", "--once")).stdout == b"No job waits or runs.\n"


async def test_watch_without_a_server_is_a_sentence(run):
    done = await run("watch", "--once", "--url", "http://127.0.0.1:9")
    assert done.code == 8
    assert "Traceback" not in done.stderr


def converted(**changes: object) -> JobStatus:
    return msgspec.convert(status(**changes), JobStatus)


def test_jobs_that_are_alive_stand_before_those_that_ended():
    jobs = Jobs()
    jobs.put(converted(job_id="b", status="completed"))
    jobs.put(converted(job_id="a"))
    jobs.put(converted(job_id="c", status="processing"))
    assert [job.job_id for job in jobs.shown(10)[0]] == ["c", "a", "b"]
    assert ([job.job_id for job in jobs.shown(2)[0]], jobs.shown(2)[1]) == (["c", "a"], 1)


@pytest.mark.parametrize(("width", "height"), [(120, 10), (60, 6), (40, 3)])
def test_the_table_never_outgrows_the_terminal(width: int, height: int):
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        screen = TableScreen(Console(file=nowhere, width=width, height=height), clock=SYSTEM_CLOCK)
        for number in range(50):
            screen.show(converted(job_id=f"{number:036}", file_name="\x1b[31mevil"))
        console = Console(file=nowhere, width=width, height=height, record=True)
        console.print(screen._rendered())
        lines = console.export_text().splitlines()
    assert len(lines) <= max(height, 4)
    assert all(len(line) <= width for line in lines)


def test_an_end_is_one_line_however_often_it_is_told():
    out = io.StringIO()
    screen = LineScreen(Console(file=out, width=200), clock=SYSTEM_CLOCK)
    for _ in range(3):  # a connection after the other, and a file that expires
        screen.show(converted(job_id="a", status="processing"))
        screen.show(converted(job_id="a", status="cancelled"))
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["a", "a"]


async def test_watch_tells_what_changes_after_the_snapshot(api, run):
    """Without a terminal a line for each change; the second connection ends it."""
    working = msgspec.json.encode(status(status="processing", version=2, attempt=1, progress=40))
    told = stream(status()).body + b"id: 6\nevent: status\ndata: %b\n\n" % working
    api.on("GET", ALL, Reply(200, told, {"Content-Type": "text/event-stream"}), problem(401, "unauthenticated"))
    done = await run("watch")
    assert done.code == 6
    assert [line.split(":")[0] for line in done.stdout.decode().splitlines()] == [f"{JOB}  file 70000"] * 2
    assert b"40 %" in done.stdout
