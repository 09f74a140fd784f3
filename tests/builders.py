"""Builders of records for tests: valid by default, so that a test names only what it is about."""

from datetime import UTC, datetime

from haulier.job import Artefact, Job, Request, Status, new_job_id
from haulier.ledger import Submission
from haulier.limits import RoleLimits

NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)


def artefact(**fields) -> Artefact:
    """A stored file of 5 bytes."""
    known = {
        "key": "artifacts/job/1/70000.zip",
        "file_name": "70000.zip",
        "content_type": "application/zip",
        "size": 5,
        "etag": '"e1"',
        "sha256": "a" * 64,
    }
    return Artefact(**known | fields)


def job(**fields) -> Job:
    """A queued job of user `anna` for file 70000."""
    known = {
        "id": new_job_id(),
        "user_id": "anna",
        "role": "free",
        "request": Request(file_id=70_000),
        "preparer": "object",
        "status": Status.QUEUED,
        "version": 1,
        "attempt": 0,
        "attempts_used": 0,
        "max_attempts": 3,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Job(**known | fields)


def submission(**fields) -> Submission:
    """User `anna` asks for file 70000, without limits."""
    known = {
        "id": new_job_id(),
        "user_id": "anna",
        "role": "free",
        "request": Request(file_id=70_000),
        "preparer": "simulate",
        "max_attempts": 3,
        "limits": RoleLimits(),
    }
    return Submission(**known | fields)
