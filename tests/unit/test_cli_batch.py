"""`haulier get` of several files: one each, or an archive that lacks some."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from haulier.cli import batch_run
from haulier.cli.quiet_views import Quiet
from haulier.client import Downloaded
from haulier.wire import JobStatus
from haulier.wire_batches import BatchStatus
from tests.loopback import CONTENT, JOB, Loopback, Reply, answer, completed, loopback, ranged, status
from tests.programs import Run
from tests.waiting import eventually

INITIATE = "/v1/download/initiate"
BATCH = "0190a6c0-0000-7000-8000-0000000000ba"
OTHER = "0190a6c0-0000-7000-8000-000000000002"
GONE = {"code": "source_missing", "message": "It is gone."}


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        server.on("GET", f"/v1/download/file/{JOB}", Reply(307, b"", {"Location": "/store/report.bin?signature=s"}))
        server.on("GET", "/store/report.bin", ranged)
        server.on("GET", f"/v1/download/status/{JOB}", answer(completed()))
        yield server


def batch(api: Loopback, *files: dict[str, object]) -> None:
    """The API accepts a batch of these files, and it is over at once."""
    accepted = [
        {"file_id": file["file_id"], "job_id": file["job_id"], "status": "queued", "joined": False} for file in files
    ]
    body = {"batch_id": BATCH, "mode": "jobs", "total": len(files), "joined": 0, "jobs": accepted}
    api.on("POST", INITIATE, answer(body))
    counts = dict.fromkeys(("queued", "processing", "completed", "failed", "cancelled", "forgotten"), 0)
    stands = {"batch_id": BATCH, "created_at": "2026-11-23T10:00:00.000Z", "total": len(files), "over": True}
    api.on("GET", f"/v1/download/batch/{BATCH}", answer(stands | {"counts": counts, "files": list(files)}))


def file_of(file_id: int, job_id: str, state: str, **fields: object) -> dict[str, object]:
    return {"file_id": file_id, "job_id": job_id, "status": state} | fields


async def test_each_saves_every_file_into_the_folder(api: Loopback, run: Run, tmp_path: Path) -> None:
    batch(api, file_of(70_000, JOB, "completed"))
    done = await run("get", "--batch", "70000", "-o", "downloads")
    assert done.code == 0, done.stderr
    assert (tmp_path / "downloads" / "report.bin").read_bytes() == CONTENT
    assert msgspec.json.decode(api.to(INITIATE)[0].body) == {"file_ids": [70_000], "mode": "jobs"}


async def test_how_many_are_ready_is_told_when_it_is_wanted(api: Loopback, run: Run) -> None:
    batch(api, file_of(70_000, JOB, "completed"), file_of(70_001, OTHER, "failed", error=GONE))
    over = api.routes["GET", f"/v1/download/batch/{BATCH}"]
    counts = dict.fromkeys(("queued", "processing", "completed", "failed", "cancelled", "forgotten"), 0)
    working = {"batch_id": BATCH, "created_at": "2026-11-23T10:00:00.000Z", "total": 2, "over": False, "files": []}
    for option, told in (("--progress", "0 of 2 files are ready"), ("--force", "Saved report.bin")):
        api.on("GET", f"/v1/download/batch/{BATCH}", answer(working | {"counts": counts}), over)
        done = await run("get", "--batch", "70000", "70001", option)
        assert done.stderr.startswith(told), done.stderr


async def test_a_second_run_keeps_what_is_there(api: Loopback, run: Run) -> None:
    batch(api, file_of(70_000, JOB, "completed"))
    await run("get", "--batch", "70000")
    done = await run("get", "--batch", "70000")
    assert (done.code, "report.bin is there already" in done.stderr) == (0, True)
    assert len(api.to("/store/report.bin")) == 1


async def test_another_file_of_that_name_is_not_replaced(api: Loopback, run: Run, tmp_path: Path) -> None:
    batch(api, file_of(70_000, JOB, "completed"))
    (tmp_path / "report.bin").write_bytes(b"mine")
    done = await run("get", "--batch", "70000")
    assert (done.code, "target_exists" in done.stderr) == (5, True)
    assert (tmp_path / "report.bin").read_bytes() == b"mine"


async def test_what_cannot_be_had_leaves_the_others_alone(api: Loopback, run: Run, tmp_path: Path) -> None:
    batch(api, file_of(70_000, JOB, "completed"), file_of(70_001, OTHER, "failed", error=GONE))
    done = await run("get", "--batch", "70000", "70001", "--json")
    assert done.code == 5
    assert (tmp_path / "report.bin").exists()
    assert done.stderr.splitlines()[-2:] == [
        "1 of 2 files could not be had:",
        "  file 70001: It is gone. [source_missing]",
    ]
    told = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert next(each for each in told if each["event"] == "batch")["batch"]["batch_id"] == BATCH
    assert (told[-1]["event"], told[-1]["code"]) == ("error", "incomplete")


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("failed", {"error": GONE}, "file 70001: It is gone. [source_missing]"),
        ("cancelled", {}, "file 70001: its job was cancelled"),
    ],
)
async def test_when_nothing_can_be_had_the_batch_has_failed(
    api: Loopback,
    run: Run,
    state: str,
    fields: dict[str, object],
    words: str,
) -> None:
    batch(api, file_of(70_001, OTHER, state, **fields))
    done = await run("get", "--batch", "70001")
    assert (done.code, words in done.stderr) == (3, True)


async def test_a_batch_is_cancelled_and_its_jobs_listed(api: Loopback, run: Run) -> None:
    api.on("DELETE", f"/v1/download/batch/{BATCH}", answer({"batch_id": BATCH, "cancelled": 2, "left": 1}))
    done = await run("cancel", "--batch", BATCH)
    assert done.stdout.decode() == f"Cancelled 2 jobs of batch {BATCH}; 1 were over, or there before it\n"
    api.on("GET", "/v1/download/jobs", answer({"jobs": [], "total": 0, "page": 1, "limit": 20, "next_cursor": None}))
    assert (await run("jobs", "--batch", BATCH)).code == 0
    assert api.to("/v1/download/jobs")[0].query["batch"] == BATCH


async def test_two_files_of_one_name_are_both_saved(api: Loopback, run: Run, tmp_path: Path) -> None:
    other = bytes(1_000)
    api.on("GET", f"/v1/download/status/{OTHER}", answer(completed(job_id=OTHER, **facts_of(other))))
    api.on("GET", f"/v1/download/file/{OTHER}", lambda seen: ranged(seen, content=other))
    batch(api, file_of(70_000, JOB, "completed"), file_of(70_001, OTHER, "completed"))
    for option in ("--force", "--resume"):
        done = await run("get", "--batch", "70000", "70001", option)
        assert done.code == 0, done.stderr
        saved = {path.name: path.read_bytes() for path in list_of(tmp_path)}
        assert sorted(saved.values()) == sorted([CONTENT, other])
        assert set(saved) in ({"report.bin", "report-70000.bin"}, {"report.bin", "report-70001.bin"})
    assert done.stderr.count("is there already") == 2


def list_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def facts_of(content: bytes) -> dict[str, object]:
    return {"file_size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


async def test_a_slow_download_does_not_keep_others_from_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_run, "LOOK_S", 0.01)
    client = SlowClient()
    run = batch_run.BatchRun(cast(Any, client), Quiet(), folder=tmp_path, force=False)
    running = asyncio.create_task(run.run([70_000, 70_001]))
    await eventually(lambda: client.saving == [JOB, OTHER])
    assert not running.done()
    client.slow.set()
    await running


class SlowClient:
    """One job is ready at once, the other later; what is ready first is saved last."""

    def __init__(self) -> None:
        self.batches = self
        self.slow = asyncio.Event()
        self.saving: list[str] = []

    async def initiate(self, file_ids: list[int], **_: object) -> Any:
        return SimpleNamespace(batch_id=BATCH)

    async def get(self, _batch_id: str) -> Any:
        later = "completed" if self.saving else "processing"
        files = [file_of(70_000, JOB, "completed"), file_of(70_001, OTHER, later)]
        counts = dict.fromkeys(("queued", "processing", "completed", "failed", "cancelled", "forgotten"), 0)
        stands = {"batch_id": BATCH, "created_at": "2026-11-23T10:00:00.000Z", "total": 2, "over": bool(self.saving)}
        return msgspec.convert(stands | {"counts": counts, "files": files}, BatchStatus)

    async def status(self, job_id: str) -> JobStatus:
        return msgspec.convert(completed(job_id=job_id, file_name=f"{job_id}.bin"), JobStatus)

    async def save(self, job: JobStatus, path: Path, **_: object) -> Downloaded:
        self.saving.append(job.job_id)
        if job.job_id == JOB:
            await self.slow.wait()
        return Downloaded(size=1, sha256="", verified=True)


@pytest.mark.parametrize("output", ["-", "file.bin"])
async def test_each_needs_a_folder(api: Loopback, run: Run, tmp_path: Path, output: str) -> None:
    (tmp_path / "file.bin").touch()
    done = await run("get", "--batch", "70000", "-o", output)
    assert (done.code, "folder" in done.stderr, api.seen) == (2, True, [])


async def test_an_archive_without_some_files_is_saved_and_says_which(api: Loopback, run: Run, tmp_path: Path) -> None:
    several = {"file_id": None, "file_ids": [70_000, 70_001]}
    states = [{"file_id": 70_000, "status": "included"}, {"file_id": 70_001, "status": "missing", "error": GONE}]
    api.on("POST", INITIATE, answer(status(**several)))
    api.on("GET", f"/v1/download/status/{JOB}", answer(completed(**several, files=states)))
    done = await run("get", "70000", "70001")
    assert done.code == 5
    assert (tmp_path / "report.bin").read_bytes() == CONTENT
    assert done.stderr.splitlines()[-2:] == [
        "1 of 2 files are missing:",
        "  file 70001: It is gone. [source_missing]",
    ]
