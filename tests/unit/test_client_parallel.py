"""Downloads over several connections: every byte once, resumed by segments, and as a whole where ranges do not come."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

import msgspec
import pytest

from haulier.client import ApiError, Client, DownloadDamaged, Patience, parallel, segments
from haulier.wire import JobStatus
from tests.loopback import CONTENT, JOB, SHA256, Loopback, Reply, Seen, answer, completed, loopback, problem, ranged

FILE = f"/v1/download/file/{JOB}"
RESULT = f"/v1/download/result/{JOB}"
SEGMENT = 256 * 1_024
COUNT = -(-len(CONTENT) // SEGMENT)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(parallel, "PARALLEL_FROM_BYTES", 1)
    monkeypatch.setattr(segments, "SEGMENT_BYTES", SEGMENT)


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        server.on("GET", RESULT, result())
        yield server


@pytest.fixture
async def client(api: Loopback) -> AsyncGenerator[Client]:
    async def no_sleep(_seconds: float) -> None: ...

    async with Client(api.url, token="t", sleep=no_sleep, rng=Random(1), patience=Patience(tries=3)) as client:
        yield client


def result(**changes: object) -> Reply:
    known = {
        "job_id": JOB,
        "download_url": "http://127.0.0.1:9/none",
        "expires_at": "2026-11-23T10:00:00.000Z",
        "file_size": len(CONTENT),
        "file_name": "report.bin",
        "content_type": "application/octet-stream",
        "etag": '"v1"',
        "file_url": "http://127.0.0.1:9/none",
        "available_until": "2026-11-23T10:00:00.000Z",
        "sha256": SHA256,
    }
    return answer({name: value for name, value in (known | changes).items() if value is not msgspec.UNSET})


def job(**changes: object) -> JobStatus:
    return msgspec.convert(completed(**changes), JobStatus)


def ranges(server: Loopback) -> list[str | None]:
    return [seen.headers.get("range") for seen in server.to(FILE)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_every_segment_is_fetched_once(client: Client, api: Loopback, tmp_path: Path) -> None:
    seen: list[int] = []
    api.on("GET", FILE, ranged)
    got = await client.save(job(), tmp_path / "r.bin", on_progress=lambda done, _total: seen.append(done))
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert (got.size, got.sha256, got.verified) == (len(CONTENT), SHA256, True)
    assert len(ranges(api)) == len(set(ranges(api))) == COUNT
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert names(tmp_path) == ["r.bin"]


async def test_a_segment_that_breaks_off_goes_on_where_it_was(client: Client, api: Loopback, tmp_path: Path) -> None:
    def cut_once(seen: Seen) -> Reply:
        first = seen.headers["range"] == f"bytes=0-{SEGMENT - 1}"
        return ranged(seen, cut_after=SEGMENT // 2 if first else None)

    api.on("GET", FILE, cut_once)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert len(ranges(api)) == COUNT + 1


async def test_a_later_run_fetches_what_is_missing(client: Client, api: Loopback, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, _total: int | None) -> None:
        if done >= len(CONTENT) // 2:
            raise Stopped

    api.on("GET", FILE, ranged)
    with pytest.raises(Stopped):
        await client.save(job(), tmp_path / "r.bin", connections=2, on_progress=stop)
    assert names(tmp_path) == ["r.bin.part", "r.bin.part.json"]
    before = len(ranges(api))
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert len(ranges(api)) - before <= COUNT - (before - 4)


async def test_half_segments_of_an_interrupted_run_are_gone_on_with(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    half = SEGMENT // 2
    api.on("GET", FILE, *[lambda seen: ranged(seen, cut_after=half)] * 2, problem(410, "artefact_expired"))
    with pytest.raises(ApiError):
        await client.save(job(), tmp_path / "r.bin", connections=2)
    assert names(tmp_path) == ["r.bin.part", "r.bin.part.json"]
    before = len(ranges(api))
    api.on("GET", FILE, ranged)
    seen: list[int] = []
    await client.save(job(), tmp_path / "r.bin", on_progress=lambda done, _total: seen.append(done))
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert seen[0] == 2 * half
    assert {f"bytes={half}-{SEGMENT - 1}", f"bytes={SEGMENT + half}-{2 * SEGMENT - 1}"} <= set(ranges(api)[before:])


async def test_how_far_segments_are_is_noted_while_they_grow(
    client: Client, api: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "NOTED_EVERY_BYTES", 1)
    noted: list[segments.Plan] = []

    def look(_done: int, _total: int | None) -> None:
        noted.append(msgspec.json.decode((tmp_path / "r.bin.part.json").read_bytes(), type=segments.Plan))

    api.on("GET", FILE, lambda seen: ranged(seen, cut_after=1_000), ranged)
    await client.save(job(), tmp_path / "r.bin", connections=1 + 1, on_progress=look)
    assert any(1_000 in plan.reached.values() for plan in noted)


@pytest.mark.parametrize(
    "reached",
    [{0: -1}, {0: SEGMENT + 1}, {-1: 5}, {COUNT: len(CONTENT)}, {1: SEGMENT}, {1: 2 * SEGMENT}, {10**9: 10**18}],
)
async def test_a_note_that_cannot_be_so_is_not_believed(
    client: Client, api: Loopback, tmp_path: Path, reached: dict[int, int]
) -> None:
    plan = segments.Plan('"v1"', len(CONTENT), None, SEGMENT, (), reached)
    (tmp_path / "r.bin.part").write_bytes(b"x" * SEGMENT)
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode(plan))
    api.on("GET", RESULT, result(sha256=msgspec.UNSET))
    api.on("GET", FILE, ranged)
    await client.save(msgspec.structs.replace(job(), sha256=msgspec.UNSET), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT


async def test_a_note_of_a_former_version_is_understood(client: Client, api: Loopback, tmp_path: Path) -> None:
    note = {"etag": '"v1"', "size": len(CONTENT), "sha256": SHA256, "segment_bytes": SEGMENT, "whole": [0, 1]}
    (tmp_path / "r.bin.part").write_bytes(CONTENT[: 2 * SEGMENT])
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode(note))
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert len(ranges(api)) == COUNT - 2


async def test_a_part_that_is_too_long_is_not_continued(client: Client, api: Loopback, tmp_path: Path) -> None:
    plan = segments.Plan('"v1"', len(CONTENT), SHA256, SEGMENT, tuple(range(COUNT)))
    (tmp_path / "r.bin.part").write_bytes(CONTENT + b"more")
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode(plan))
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT


async def test_what_one_connection_has_left_is_taken_up(client: Client, api: Loopback, tmp_path: Path) -> None:
    (tmp_path / "r.bin.part").write_bytes(CONTENT[: 5 * SEGMENT + 7])
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode({"etag": '"v1"', "size": len(CONTENT)}))
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert len(ranges(api)) == COUNT - 5


async def test_one_connection_does_not_take_segments_for_a_beginning(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    plan = segments.Plan('"v1"', len(CONTENT), SHA256, SEGMENT, (3,))
    (tmp_path / "r.bin.part").write_bytes(bytes(4 * SEGMENT))
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode(plan))
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin", connections=1)
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(api) == [None]


@pytest.mark.parametrize("plan", [b"", b"{", b"[]", b'{"etag":"\\"v1\\"","size":-1}', b"\xff"])
async def test_a_note_that_is_none_is_as_good_as_none(
    client: Client, api: Loopback, tmp_path: Path, plan: bytes
) -> None:
    (tmp_path / "r.bin.part").write_bytes(b"x" * SEGMENT)
    (tmp_path / "r.bin.part.json").write_bytes(plan)
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT


async def test_a_note_without_its_bytes_is_not_believed_where_no_digest_tells(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    plan = segments.Plan('"v1"', len(CONTENT), None, SEGMENT, tuple(range(COUNT)))
    (tmp_path / "r.bin.part").write_bytes(CONTENT[: 2 * SEGMENT + 7])
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode(plan))
    api.on("GET", RESULT, result(sha256=msgspec.UNSET))
    api.on("GET", FILE, ranged)
    await client.save(msgspec.structs.replace(job(), sha256=msgspec.UNSET), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert len(ranges(api)) == COUNT - 2


async def test_bytes_that_were_spoiled_meanwhile_are_fetched_again(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    plan = segments.Plan('"v1"', len(CONTENT), SHA256, SEGMENT, (0,))
    (tmp_path / "r.bin.part").write_bytes(b"x" * SEGMENT)
    (tmp_path / "r.bin.part.json").write_bytes(msgspec.json.encode(plan))
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT


async def test_an_origin_without_ranges_is_read_as_a_whole(client: Client, api: Loopback, tmp_path: Path) -> None:
    api.on("GET", FILE, Reply(200, CONTENT, {"ETag": '"v1"'}))
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(api)[-1] is None


async def test_another_artefact_in_the_middle_is_not_mixed_in(client: Client, api: Loopback, tmp_path: Path) -> None:
    other = bytes(len(CONTENT))
    api.on("GET", FILE, ranged, ranged, lambda seen: ranged(seen, content=other, etag='"v2"'))
    with pytest.raises(DownloadDamaged):  # what is there now is not what the job prepared
        await client.save(job(), tmp_path / "r.bin")
    assert names(tmp_path) == []


async def test_a_file_without_a_strong_etag_comes_over_one_connection(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    api.on("GET", RESULT, result(etag='W/"v1"'))
    api.on("GET", FILE, ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert ranges(api) == [None]


async def test_damage_leaves_nothing(client: Client, api: Loopback, tmp_path: Path) -> None:
    api.on("GET", RESULT, result(sha256="0" * 64))
    api.on("GET", FILE, ranged)
    with pytest.raises(DownloadDamaged):
        await client.save(job(sha256="0" * 64), tmp_path / "r.bin")
    assert names(tmp_path) == []


async def test_a_refusal_ends_all_connections(client: Client, api: Loopback, tmp_path: Path) -> None:
    api.on("GET", FILE, ranged, problem(410, "artefact_expired", detail="Gone."))
    with pytest.raises(Exception, match="Gone"):
        await client.save(job(), tmp_path / "r.bin")
    assert len(asyncio.all_tasks()) <= 2 + len(api.seen)
