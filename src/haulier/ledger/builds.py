"""Builds: who makes what several jobs want, and how far an interrupted attempt came with it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from haulier.job import Artefact, Attempt
from haulier.ledger.database import Database
from haulier.ledger.queryfile import Many, One, QueryFile, Row
from haulier.ledger.records import artefact_from


class BuildQueries(QueryFile, file="builds.sql"):
    join_build: One
    parts_of_build: Many
    keep_upload: One
    record_parts: Many
    restart_build: One
    release_build: One


class KeptUpload(msgspec.Struct, frozen=True):
    """Where a build's parts go: the object's key, and the store's handle of the upload."""

    key: str
    handle: str


class KeptPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that the store has, and from where another attempt can go on.

    `digests` are the states of the artefact's digests behind this part. The mark is the preparer's last one before its
    end, at `mark_offset` bytes of the artefact; `log` is what the marks since the part before added.
    """

    number: int
    size: int
    etag: str
    digests: bytes
    mark_offset: int
    mark: Mapping[str, Any]
    log: bytes


class Joined(msgspec.Struct, frozen=True):
    """What an attempt is to a build: see functions/join_build.sql. `upload` goes with leading, `artefact` with exists
    and shared."""

    outcome: Literal["leading", "following", "exists", "shared", "lost"]
    upload: KeptUpload | None = None
    artefact: Artefact | None = None


class Released(msgspec.Struct, frozen=True):
    """A build that was given up; its upload is the caller's to abort."""

    upload: KeptUpload | None


class Builds:
    """What the worker asks and writes about builds. Writes of an attempt that does not lead change nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, key: bytes, attempt: Attempt, *, take: str | None = None, refuse: str | None = None) -> Joined:
        """Lead the build, follow its leader, or learn of its artefact; `take` or `refuse` that one (by its key)."""
        row = await self._database.run(BuildQueries.join_build, **_of(key, attempt), take=take, refuse=refuse)
        assert row is not None
        return Joined(row["outcome"], _upload(row), artefact_from(row))

    async def parts(self, key: bytes) -> list[KeptPart]:
        """The parts from the first on that follow each other without a gap."""
        rows = await self._database.run(BuildQueries.parts_of_build, key=key)
        return [
            KeptPart(
                number=row["number"],
                size=row["size"],
                etag=row["etag"],
                digests=row["digest"],
                mark_offset=row["mark_offset"],
                mark=row["mark"],
                log=row["log"],
            )
            for expected, row in enumerate(rows, start=1)
            if row["number"] == expected
        ]

    async def keep_upload(self, key: bytes, attempt: Attempt, upload: KeptUpload) -> bool:
        """Note where the parts go; False when the attempt does not lead."""
        row = await self._database.run(
            BuildQueries.keep_upload, **_of(key, attempt), upload_key=upload.key, upload_handle=upload.handle
        )
        return row is not None

    async def record(self, key: bytes, attempt: Attempt, parts: Sequence[KeptPart]) -> bool:
        """Note parts that the store has; False when the attempt does not lead."""
        rows = await self._database.run(
            BuildQueries.record_parts,
            **_of(key, attempt),
            numbers=[part.number for part in parts],
            sizes=[part.size for part in parts],
            etags=[part.etag for part in parts],
            digests=[part.digests for part in parts],
            mark_offsets=[part.mark_offset for part in parts],
            marks=[msgspec.json.encode(part.mark).decode() for part in parts],
            logs=[part.log for part in parts],
        )
        return len(rows) == len(parts)

    async def restart(self, key: bytes, attempt: Attempt) -> bool:
        """Forget all parts and the upload; False when the attempt does not lead."""
        return await self._database.run(BuildQueries.restart_build, **_of(key, attempt)) is not None

    async def release(self, key: bytes, attempt: Attempt) -> Released | None:
        """Give up a build whose job is over; None when others want it or lead it."""
        row = await self._database.run(BuildQueries.release_build, **_of(key, attempt))
        return None if row is None else Released(_upload(row))


def _upload(row: Row) -> KeptUpload | None:
    return KeptUpload(row["upload_key"], row["upload_handle"]) if row["upload_key"] else None


def _of(key: bytes, attempt: Attempt) -> dict[str, Any]:
    return {"key": key, "job_id": attempt.job.id, "attempt": attempt.number}
