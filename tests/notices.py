"""Builders of notices for tests."""

from uuid import UUID

from haulier.job import Status, new_job_id
from haulier.notify.letters import Desk
from haulier.notify.port import Notice
from tests.builders import NOW, artefact, job


def completed_job(**fields):
    """A completed job of user `anna` with the file photos.zip."""
    known = {
        "status": Status.COMPLETED,
        "artefact": artefact(file_name="photos.zip"),
        "completed_at": NOW,
        "artefact_expires_at": NOW,
    }
    return job(**known | fields)


def notice(**fields) -> Notice:
    """A notice of a completed job."""
    known = {
        "id": new_job_id(),
        "event": "job.completed",
        "at": NOW,
        "channel_id": new_job_id(),
        "secret": {"address": "anna@example.org"},
        "job": completed_job(),
    }
    return Notice(**known | fields)


def page(job_id: UUID) -> str:
    return f"https://haulier.example/jobs/{job_id}"


def desk(**fields) -> Desk:
    """Letters of no-reply@haulier.example."""
    known = {
        "sender": "Haulier <no-reply@haulier.example>",
        "job_page": page,
        "stop_page": lambda channel, _: f"https://haulier.example/v1/unsubscribe?token={channel}",
    }
    return Desk(**known | fields)
