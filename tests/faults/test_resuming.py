"""Builds that are interrupted go on from their last stored part: the same bytes as without, and little is read again.

What the second worker reads is counted by the system (`rchar` of /proc/PID/io): all reads from files and sockets.
"""

import asyncio
import hashlib
import os
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.faults.fleet import Fleet, Process, fleet
from tests.faults.oracle import Oracle
from tests.faults.scale import only_full, scale
from tests.origin import serving, versioned
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(scale(fast=120, full=600))

MIB = 1 << 20
MEMBERS = scale(fast=8, full=64)
MEMBER_BYTES = 16 * MIB
TOTAL = MEMBERS * MEMBER_BYTES
LAST = MEMBERS - 2  # the part after which the first attempt ends

FETCHED, ARCHIVED, QUERIED = 600_000, 600_001, 600_002
NAMES = {FETCHED: "fetch", ARCHIVED: "archive", QUERIED: "query"}
ROW_BYTES = 1 << 11  # of text; its number and the line's end come to it
# Each end and each preparer once; `make faults` has all nine.
IN_SHORT = {("killed", QUERIED), ("handed back", FETCHED), ("store error", ARCHIVED)}
AT_LAST_PART = {"killed": f"kill:{LAST}", "handed back": "delay:30", "store error": f"raise:{LAST}"}


def rules(origin_url: str) -> str:
    return f"""
[[rule]]
ids = "{FETCHED}"
preparer = "fetch"
params = {{ url = "{origin_url}" }}
[[rule]]
ids = "{ARCHIVED}"
preparer = "archive"
params = {{ prefix = "members/" }}
[[rule]]
ids = "{QUERIED}"
preparer = "query"
[rule.params]
sql = "select n, repeat(md5(n::text), {ROW_BYTES // 32}) as text from generate_series(1, {TOTAL // ROW_BYTES}) as n"
key = "n"
"""


def put_members(store: Path, content: bytes) -> None:
    folder = store / "members"
    folder.mkdir(parents=True)
    for n in range(MEMBERS):
        (folder / f"{n:03}.bin").write_bytes(content[n * MEMBER_BYTES : (n + 1) * MEMBER_BYTES])


def bytes_read(process: Process) -> int:
    fields = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    return int(fields["rchar"])


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(TOTAL)


@pytest.fixture
async def house(tmp_path, content):
    """A fleet without workers, whose files are an origin's and an archive of the store's."""
    async with serving(versioned(content)) as origin, fleet(tmp_path / "home", workers=0, apis=0) as house:
        await asyncio.to_thread(put_members, house.store, content)
        catalogue = house.home / "catalogue.toml"
        await asyncio.to_thread(catalogue.write_text, rules(origin.url()))
        house.env |= {
            "HAULIER_FETCH_ALLOW_PRIVATE": "true",
            "HAULIER_QUERY_DATABASE_URL": house.database_url.reveal(),
        }
        await house.start_api()
        yield house


async def prepared(house: Fleet, file_id: int, user: str) -> dict[str, object]:
    """The file, prepared without a disturbance."""
    async with Oracle(house) as oracle:
        job_id = await oracle.submit(file_id, user=user)
        return await oracle.until(job_id, "completed", user=user)


async def another(house: Fleet) -> Process:
    worker = await house.start_worker()
    await worker.ready()
    return worker


async def noted(house: Fleet) -> int:
    """How many parts the ledger knows of."""
    async with house.connection() as connection:
        return await connection.fetchval("select count(*) from build_parts")


async def left(house: Fleet) -> int:
    """How many bytes the next attempt has to read. Asked before it begins: at its end the ledger forgets the parts."""
    return TOTAL - await noted(house) * MEMBER_BYTES


async def is_noted(house: Fleet, number: int) -> bool:
    return await noted(house) >= number


async def backs_off(oracle: Oracle, job_id: str) -> bool:
    """Whether an attempt of the job has failed."""
    return "retry_at" in await oracle.status(job_id)


def of_store(house: Fleet) -> dict[str, int]:
    """Sizes of all files under artifacts/."""
    return {str(path): path.stat().st_size for path in house.store.glob("artifacts/**/*") if path.is_file()}


@pytest.mark.parametrize(
    ("end", "file_id"),
    [
        pytest.param(end, file_id, id=f"{end}-{name}", marks=() if (end, file_id) in IN_SHORT else only_full)
        for end in AT_LAST_PART
        for file_id, name in NAMES.items()
    ],
)
async def test_an_interrupted_build_goes_on_from_its_last_part(house, note, file_id, end):
    victim = await house.start_worker(at=[f"part_sent={AT_LAST_PART[end]}"])
    await house.manned()
    async with Oracle(house) as oracle:
        job_id = await oracle.submit(file_id)
        match end:
            case "killed":
                assert await victim.ended() == -SIGKILL
                missing = await left(house)
                goes_on = await another(house)
            case "handed back":
                await eventually(lambda: is_noted(house, LAST))
                await victim.terminate()
                missing = await left(house)
                goes_on = await another(house)
            case _:
                await eventually(lambda: backs_off(oracle, job_id))
                missing = await left(house)
                goes_on = victim
        before = bytes_read(goes_on)
        interrupted = await oracle.until(job_id, "completed")
        read_again = bytes_read(goes_on) - before - missing
        note(
            f"{end} at part {LAST} of {MEMBERS}: {NAMES[file_id]}",
            [],
            rounds=1,
            remark=f"{read_again / MIB:.0f} MiB again",
        )
        assert read_again < 2 * MEMBER_BYTES

    async with house.connection() as connection:  # or the second user would get the same file
        await connection.execute("delete from builds")
    undisturbed = await prepared(house, file_id, "bob")
    assert interrupted["attempt"] == 2
    assert interrupted["sha256"] == undisturbed["sha256"]
    assert interrupted["file_size"] == undisturbed["file_size"]
    sizes = of_store(house)
    assert len(sizes) == 2, "no upload is left"
    for path in sizes:
        digest = hashlib.sha256(await asyncio.to_thread(Path(path).read_bytes)).hexdigest()
        assert digest == interrupted["sha256"]
