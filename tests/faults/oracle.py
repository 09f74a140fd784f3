"""The oracle of every fault test: what was answered with a job id ends once, and its file is right.

Lost, wrong and changed must be 0. A file is wrong when its bytes are not those of its number, or when ledger and API
tell another SHA-256 than theirs. Duplicates (attempts beyond a job's first) and recovery seconds are told, not judged.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec

from haulier.dispatch.sweeping import sweep_orphans
from haulier.ledger import open_ledger
from haulier.settings import load
from haulier.storage import open_storage
from tests.faults.fleet import Fleet, Process
from tests.faults.preparers import expected_content
from tests.waiting import eventually

TERMINAL = ("completed", "failed", "cancelled")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the jobs of a test."""

    jobs: int
    completed: int
    failed: int
    cancelled: int
    lost: int
    wrong: int
    changed: int
    duplicates: int
    leftovers: int

    def assert_clean(self) -> None:
        """Nothing was lost, no artefact is wrong, no terminal state changed."""
        assert (self.lost, self.wrong, self.changed) == (0, 0, 0), self


class Oracle:
    """Submits through HTTP like a client behind a load balancer, and remembers what was answered."""

    def __init__(self, house: Fleet) -> None:
        self._house = house
        self._http = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=None))
        self.accepted: dict[str, int] = {}
        self.refused: list[int] = []
        self.slowest_s = 0.0
        self.broken_off = 0  # connections that took a request and ended without an answer

    async def __aenter__(self) -> "Oracle":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        user: str = "anna",
        role: str = "free",
        first: Process | None = None,
        once: bool = False,
        **request: object,
    ) -> httpx.Response:
        """Ask one API after the other, from `first` on, until one answers; a refused connection is no answer.

        Nor is 503, unless `once`: on a busy machine PostgreSQL may be silent for a moment, and clients ask again.
        """
        headers = {"Authorization": f"Bearer {self._house.token(user, role)}"}
        end = time.monotonic() + 30
        while True:
            for api in sorted(self._house.apis, key=lambda api: api is not first):
                began = time.monotonic()
                try:
                    answer = await self._http.request(
                        method, f"http://127.0.0.1:{api.port}{path}", headers=headers, **request
                    )
                except httpx.ConnectError:
                    continue
                except httpx.TransportError:
                    self.broken_off += 1
                    continue
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                if once or answer.status_code != 503:
                    return answer
            assert time.monotonic() < end, "no API answered for 30 s"
            await asyncio.sleep(0.02)

    async def submit(self, file_id: int, *, user: str = "anna", role: str = "free", once: bool = False) -> str | None:
        """Ask for a file; the job's id, or None when it was refused (which is remembered). `once`: so is a 503."""
        wish = {"file_id": file_id}
        answer = await self.call("POST", "/v1/download/initiate", user=user, role=role, once=once, json=wish)
        if answer.status_code != 200:
            self.refused.append(answer.status_code)
            return None
        job_id = answer.json()["job_id"]
        self.accepted[job_id] = file_id
        return job_id

    async def submit_many(self, file_ids: Iterable[int], *, users: int = 5) -> list[str]:
        """Ask for all of these, spread over users; the ids of what was accepted."""
        found = [await self.submit(file_id, user=f"user {n % users}") for n, file_id in enumerate(file_ids)]
        return [job_id for job_id in found if job_id]

    async def status(self, job_id: str, *, user: str = "anna") -> dict[str, object]:
        return (await self.call("GET", f"/v1/download/status/{job_id}", user=user)).json()

    async def until(self, job_id: str, *statuses: str, user: str = "anna", within_s: float = 60) -> dict[str, object]:
        """The job's status object once it has one of these statuses."""

        async def look() -> dict[str, object] | None:
            seen = await self.status(job_id, user=user)
            assert seen["status"] in statuses or seen["status"] not in TERMINAL, seen
            return seen if seen["status"] in statuses else None

        return await eventually(look, within_s=within_s)

    async def verdict(self, *, within_s: float = 120) -> Verdict:
        """Wait until every accepted job is over, and judge."""
        async with self._house.connection() as connection:
            ids = list(self.accepted)

            async def all_over() -> bool:
                await asyncio.sleep(0.05)
                return await connection.fetchval(
                    "select count(*) = $2 from jobs where id = any($1::uuid[]) and completed_at is not null",
                    ids,
                    len(ids),
                )

            with suppress(AssertionError):  # the count of lost jobs says it
                await eventually(all_over, within_s=within_s)
            jobs = await connection.fetch("select * from jobs where id = any($1::uuid[])", ids)
            ends = await connection.fetch(
                "select job_id, count(*) filter (where status = any($2)) as terminal,"
                " max(version) filter (where status = any($2)) as ended, max(version) as last"
                " from job_events where job_id = any($1::uuid[]) and reason <> 'expired' group by job_id",
                ids,
                list(TERMINAL),
            )
            attempts = await connection.fetchval("select count(*) from attempts where job_id = any($1::uuid[])", ids)
            started = await connection.fetchval(
                "select count(distinct job_id) from attempts where job_id = any($1::uuid[])", ids
            )
        over = [job for job in jobs if job["status"] in TERMINAL]
        completed = [job for job in jobs if job["status"] == "completed"]
        right = [await asyncio.to_thread(self._is_right, job) and await self._is_told(job) for job in completed]
        return Verdict(
            jobs=len(ids),
            completed=len(completed),
            failed=sum(job["status"] == "failed" for job in jobs),
            cancelled=sum(job["status"] == "cancelled" for job in jobs),
            lost=len(ids) - len(over),
            wrong=right.count(False),
            changed=sum(end["terminal"] != 1 or end["ended"] != end["last"] for end in ends if end["terminal"]),
            duplicates=attempts - started,
            leftovers=len(self._artefacts() - {job["artefact_key"] for job in completed}),
        )

    def _is_right(self, job: object) -> bool:
        path: Path = self._house.store / job["artefact_key"]
        content = path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).hexdigest()
        return digest == job["artefact_sha256"] and content == expected_content(self.accepted[str(job["id"])])

    async def _is_told(self, job: object) -> bool:
        """Whether the API comes to tell what the ledger holds: lost announcements are repaired within seconds."""

        async def told() -> bool:
            seen = (await self.call("GET", f"/v1/download/status/{job['id']}", user="judge", role="admin")).json()
            return (seen.get("status"), seen.get("sha256")) == ("completed", job["artefact_sha256"])

        with suppress(AssertionError):
            return await eventually(told)
        return False

    async def assert_swept(self) -> None:
        """After a sweep of two hours later the store holds what completed jobs own: all of it, and nothing else."""
        settings = load(self._house.env)
        storage = open_storage(settings)
        async with open_ledger(settings.database_url) as ledger, self._house.connection() as connection:

            async def sweep() -> bool:
                later = datetime.now(UTC) + timedelta(hours=2)
                await sweep_orphans(ledger, storage, now=later, longest_upload_s=0)
                query = "select artefact_key from jobs where status = 'completed'"
                return self._artefacts() == {row["artefact_key"] for row in await connection.fetch(query)}

            await eventually(sweep)

    def _artefacts(self) -> set[str]:
        root = self._house.store
        return {str(path.relative_to(root)) for path in root.glob("artifacts/**/*") if path.is_file()}
