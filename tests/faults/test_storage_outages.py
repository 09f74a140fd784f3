"""An S3 that fails, hangs, breaks off and changes under our hands: attempts are retried, no artefact is ever mixed."""

import asyncio
import hashlib
import io
import itertools
import json
import time
import zipfile
from contextlib import asynccontextmanager
from random import Random

import pytest

from tests.faults.oracle import Oracle
from tests.faults.outages import ANSWER_S, outages
from tests.faults.s3_proxy import s3_proxy
from tests.faults.scale import FULL, only_full, scale
from tests.s3 import ACCESS, REGION, S3_MARKS, SECRET
from tests.waiting import eventually

pytestmark = [*S3_MARKS, pytest.mark.timeout(scale(fast=240, full=600))]

FIRST, SOURCES = 70_000, 6
FILES = range(FIRST, FIRST + SOURCES)
MANIFEST = "haulier-manifest.json"
PART_BYTES = 3_000_000


def source(file_id: int, *, edition: str = "first") -> bytes:
    """What the object of a file holds: its number and edition, again and again."""
    pattern = f"{file_id} {edition}\n".encode()
    return (pattern * (PART_BYTES // len(pattern) + 1))[:PART_BYTES]


class Bucket:
    """The sources and artefacts of one test, seen past the proxy."""

    def __init__(self, server, name: str) -> None:
        self._client = server.client
        self.name = name

    async def put(self, file_id: int, content: bytes) -> None:
        key = f"downloads/{file_id}.zip"
        await asyncio.to_thread(self._client.put_object, Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def artefacts(self) -> set[str]:
        listed = self._client.list_objects_v2(Bucket=self.name, Prefix="artifacts/")
        return {each["Key"] for each in listed.get("Contents", [])}


class S3Oracle(Oracle):
    """The oracle of files that are ZIPs of sources: each part is one edition, whole."""

    def __init__(self, house, bucket: Bucket) -> None:
        super().__init__(house)
        self._bucket = bucket
        self._batches = itertools.count()

    async def submit_batch(self, file_ids: list[int]) -> str:
        """Ask for a ZIP of these files."""
        user = f"user {next(self._batches)}"
        answer = await self.call("POST", "/v1/download/initiate", user=user, json={"file_ids": file_ids})
        assert answer.status_code == 200, answer.text
        job_id = answer.json()["job_id"]
        self.accepted[job_id] = 0
        return job_id

    def _is_right(self, job) -> bool:
        content = self._bucket.get(job["artefact_key"])
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}
            told = {each["name"]: each["sha256"] for each in json.loads(archive.read(MANIFEST))["entries"]}
        return hashlib.sha256(content).hexdigest() == job["artefact_sha256"] and all(
            any(part == source(int(name.partition(".")[0]), edition=edition) for edition in ("first", "second"))
            and told[name] == hashlib.sha256(part).hexdigest()
            for name, part in parts.items()
        )

    def _artefacts(self) -> set[str]:
        return self._bucket.artefacts()


class Stage:
    """What a test has in its hands."""

    def __init__(self, broken, oracle: S3Oracle, link, bucket: Bucket) -> None:
        self.broken = broken
        self.oracle = oracle
        self.link = link
        self.bucket = bucket
        self._orders = itertools.permutations(FILES, 3)

    async def batches(self, count: int) -> list[str]:
        """Jobs for `count` archives of three files each, none like another: they would share one build."""
        return [await self.oracle.submit_batch(list(next(self._orders))) for _ in range(count)]

    async def attempts(self) -> list:
        async with self.broken.house.connection() as connection:
            return await connection.fetch("select * from attempts order by job_id, number")

    async def reading(self, requests: int) -> None:
        """Wait until the store was asked so many more times."""
        before = self.link.connections
        await eventually(lambda: self.link.connections >= before + requests)

    async def judged(self, note, fault: str, *, completed: int | None = None, is_back: bool = False):
        """`is_back`: the store has just come back; recovery is the time until every job is over."""
        began = time.monotonic()
        verdict = await self.oracle.verdict()
        note(fault, [verdict], recovery_s=[time.monotonic() - began] if is_back else ())
        verdict.assert_clean()
        assert verdict.completed == (verdict.jobs if completed is None else completed)
        assert not FULL or self.oracle.slowest_s <= ANSWER_S
        self.broken.assert_nobody_restarted()


@pytest.fixture
async def stage(tmp_path, s3_server):
    async with staged(tmp_path, s3_server) as opened:
        yield opened


@asynccontextmanager
async def staged(tmp_path, server):
    bucket = Bucket(server, await asyncio.to_thread(server.new_bucket))
    for file_id in FILES:
        await bucket.put(file_id, source(file_id))
    async with s3_proxy(server.endpoint, rng=Random(7)) as link:
        environ = {
            "HAULIER_STORAGE_URL": f"s3://{bucket.name}?endpoint={link.url_for(server.endpoint)}&region={REGION}",
            "HAULIER_CATALOGUE": "",
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        async with outages(tmp_path / "home", environ=environ) as broken, S3Oracle(broken.house, bucket) as oracle:
            yield Stage(broken, oracle, link, bucket)


@only_full
async def test_a_store_that_fails_a_third_of_all_calls(stage, note):
    stage.link.fail(0.3)
    await stage.batches(40)
    await stage.judged(note, "S3 answers 503 to 30 % of calls")
    assert stage.link.outcomes["failed"] > 0


async def test_a_store_that_breaks_bodies_off(stage, note):
    stage.link.cut_bodies(PART_BYTES // 2, times=scale(fast=3, full=12))
    await stage.batches(scale(fast=3, full=12))
    await stage.judged(note, "S3 breaks bodies off")
    assert stage.link.outcomes["cut"] > 0


@only_full
async def test_a_store_that_hangs(stage, note):
    """Meanwhile requests are accepted and told of, and what needs the store is refused in time."""
    await stage.batches(4)
    await stage.broken.processing()
    stage.link.blackhole()
    check = await stage.oracle.call("POST", "/v1/download/check", once=True, json={"file_id": FIRST})
    assert check.status_code == 503
    await stage.batches(4)
    await asyncio.sleep(20)
    assert (await stage.oracle.call("GET", "/health/ready", once=True)).status_code == 503
    stage.link.heal()
    await stage.judged(note, "S3 hangs for 20 s", is_back=True)


@only_full
async def test_a_store_that_is_away_is_tried_again_with_growing_jittered_waits(stage, note):
    with stage.link.refusing():
        await stage.batches(6)
        await asyncio.sleep(5)
    await stage.judged(note, "S3 away for 5 s", is_back=True)
    attempts = await stage.attempts()
    waits = [
        (after["started_at"] - before["ended_at"]).total_seconds()
        for before, after in itertools.pairwise(attempts)
        if before["job_id"] == after["job_id"]
    ]
    assert len(waits) >= 6
    assert all(wait >= 4 for wait in waits)
    assert max(waits) - min(waits) > 0.05


async def test_an_object_replaced_while_it_is_read_is_never_mixed(stage, note):
    stage.link.throttle(1_500_000)
    await stage.batches(1)
    await stage.broken.processing()
    await stage.reading(1)
    for file_id in FILES:
        await stage.bucket.put(file_id, source(file_id, edition="second"))
    stage.link.heal()
    await stage.judged(note, "S3 objects replaced while read")
    outcomes = [(attempt["outcome"], attempt["error_code"]) for attempt in await stage.attempts()]
    assert outcomes[-1] == ("completed", None)
    assert {code for outcome, code in outcomes if outcome == "retried"} <= {"source_changed", "source_unavailable"}
