"""From a job to a file: what is told on the way, under which name it is saved, and what stands in the way."""

import hashlib
import tempfile
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import UNSET

from haulier.client.errors import DownloadFailed, JobCancelled, JobFailed, TargetExists
from haulier.client.names import safe_name
from haulier.client.part import refuse_special
from haulier.job import Status
from haulier.wire import JobStatus


class Progressed(msgspec.Struct, frozen=True, kw_only=True):
    """How far a download is. `job` has the place in the queue, the stage and the estimate while it is prepared.

    `done_bytes` and `total_bytes` (None while unknown) count what the stage is about: bytes of the sources while it is
    prepared, bytes of the file while it is downloaded.
    """

    stage: Literal["queued", "preparing", "downloading"]
    percent: float
    done_bytes: int
    total_bytes: int | None
    job: JobStatus

    @property
    def position(self) -> int | None:
        """The place in the queue; None when it does not wait, or nobody knows."""
        return None if self.job.queue_position is UNSET else self.job.queue_position

    @classmethod
    def of(cls, job: JobStatus, *, done: int | None = None, total: int | None = None) -> Self:
        """The progress of `job`, or, with the bytes that are `done`, of its download."""
        if done is not None:
            percent = 100 * done / total if total else 0.0
            return cls(stage="downloading", percent=percent, done_bytes=done, total_bytes=total, job=job)
        detail = job.progress_detail
        bytes_ = (0, None) if detail is UNSET else (detail.done_bytes, detail.total_bytes)
        stage = "queued" if job.status == Status.QUEUED else "preparing"
        return cls(stage=stage, percent=float(job.progress), done_bytes=bytes_[0], total_bytes=bytes_[1], job=job)


def raise_unless_completed(job: JobStatus) -> None:
    """Raise JobFailed or JobCancelled for a job that ended so."""
    if job.status == Status.FAILED:
        raise JobFailed(job)
    if job.status == Status.CANCELLED:
        raise JobCancelled(job)


def target(to: Path | str, job: JobStatus) -> Path:
    """Where to save a job's file: at `to`, or, when that is a folder or ends with a slash, in it under its own name."""
    folder = str(to).endswith("/") or Path(to).is_dir()
    if not folder:
        return Path(to)
    fallback = str(job.file_id) if job.file_id is not None else f"{job.job_id}.zip"
    return Path(to) / safe_name("" if job.file_name is UNSET else job.file_name, fallback=fallback)


def make_ready(to: Path | str, *, force: bool) -> None:
    """See before anything is prepared that a file can be saved at `to`: a folder (with a slash at its end) is made.

    Blocks. Raises TargetExists when there is a file and not `force`, DownloadFailed when none can be made, or what is
    there is neither a file nor a folder.
    """
    path = Path(to)
    if str(to).endswith("/"):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DownloadFailed(f"The folder {path} cannot be made: {error.strerror or error}.") from error
    elif path.is_file() and not force:
        raise TargetExists(path)
    else:
        refuse_special(path)
    try_folder(path if path.is_dir() else path.parent)


def is_saved(path: Path, job: JobStatus) -> bool:
    """Whether `path` is the file of `job` already, by its SHA-256. Blocks."""
    if not path.is_file() or path.stat().st_size != job.file_size:
        return False
    with path.open("rb") as saved:
        return hashlib.file_digest(saved, "sha256").hexdigest() == job.sha256


def try_folder(folder: Path) -> None:
    """Raises DownloadFailed when no file can be made in `folder`."""
    if not folder.is_dir():
        raise DownloadFailed(f"There is no folder {folder}. Make it first, or choose another place.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DownloadFailed(f"No file can be made in {folder}: {error.strerror or error}.") from error
