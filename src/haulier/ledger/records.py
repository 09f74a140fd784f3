"""Rows of the jobs table as jobs."""

import msgspec

from haulier.job import NO_FILES, Artefact, Failure, FileStates, Handed, Job, Progress, Request, Status
from haulier.ledger.queryfile import Row


def job_from(row: Row) -> Job:
    """The job of a `jobs` row."""
    return Job(
        id=row["id"],
        user_id=row["user_id"],
        role=row["role"],
        request=msgspec.convert(row["request"], Request),
        preparer=row["preparer"],
        status=Status(row["status"]),
        version=row["version"],
        attempt=row["attempt"],
        attempts_used=row["attempts_used"],
        max_attempts=row["max_attempts"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        progress=Progress(row["stage"], row["done_bytes"], row["total_bytes"], row["percent"]),
        fair_tag=row["fair_tag"],
        handover=row["handover"],
        handed=row["handed_at"] is not None,
        retry_at=row["retry_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        artefact=artefact_from(row),
        artefact_expires_at=row["artefact_expires_at"],
        artefact_expired=row["artefact_expired"],
        error=Failure(row["error_code"], row["error_message"]) if row["error_code"] else None,
        retry_of=row["retry_of"],
        batch_id=row["batch_id"],
        files=_files(row),
    )


def handed_from(row: Row) -> Handed:
    """The hand-over of a row that has `id` and `handover`."""
    return Handed(row["id"], row["handover"])


def artefact_from(row: Row) -> Artefact | None:
    """The artefact of a row that has its columns, None when they are empty."""
    if row["artefact_key"] is None:
        return None
    return Artefact(
        key=row["artefact_key"],
        file_name=row["artefact_name"],
        content_type=row["artefact_type"],
        size=row["artefact_size"],
        etag=row["artefact_etag"],
        sha256=row["artefact_sha256"],
    )


def _files(row: Row) -> FileStates:
    if not row["files"]:
        return NO_FILES
    errors = msgspec.convert(row["file_errors"] or {}, dict[int, Failure], strict=False)
    return FileStates(row["files"], errors)
