"""What can go wrong for a client. Each has a `code` to branch on and prints as one sentence."""

from pathlib import Path

from msgspec import UNSET

from haulier.wire import JobError, JobStatus, Problem


class ClientError(Exception):
    """Base of all errors of this package."""

    code: str = "client_error"


class ApiError(ClientError):
    """The API refused a request (problem+json). `request_id` is what its operator can look for.

    `errors` says for `invalid_request` where the request is wrong, and what to do.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(problem.detail)
        self.code = problem.code
        self.status = problem.status
        self.detail = problem.detail
        self.request_id = problem.request_id
        self.errors = () if problem.errors is UNSET else problem.errors
        self.retry_after_s = retry_after_s


class Unreachable(ClientError):
    """No connection, or it broke each time."""

    code = "unreachable"

    def __init__(self, origin: str, reason: str) -> None:
        super().__init__(f"No answer from {origin} ({reason}). Is it running, and is the address right?")


class BadToken(ClientError):
    """The token is none. Its text is told nowhere: it may be a secret with a slip."""

    code = "bad_token"

    def __init__(self) -> None:
        super().__init__(
            "The token is empty or has characters that a header cannot carry. (It is given without the word Bearer.)"
        )


class UnexpectedAnswer(ClientError):
    """Something answered that does not speak our contract: another program, or a proxy in between."""

    code = "unexpected_answer"

    def __init__(self, origin: str, status: int) -> None:
        if status in {502, 503, 504}:
            super().__init__(f"{origin} answered {status}: what stands in front of the API cannot reach it.")
        else:
            super().__init__(f"{origin} answered {status} in a form that Haulier does not use. Is the address right?")
        self.status = status


class JobFailed(ClientError):
    """The job failed for good. `code` and the sentence are the job's own; `job` is its last status."""

    def __init__(self, job: JobStatus) -> None:
        error = JobError("failed", "The job failed.") if job.error is UNSET else job.error
        super().__init__(error.message)
        self.code = error.code
        self.job = job


class JobCancelled(ClientError):
    """The job was cancelled. `job` is its last status."""

    code = "job_cancelled"

    def __init__(self, job: JobStatus) -> None:
        super().__init__("The job was cancelled.")
        self.job = job


class DownloadFailed(ClientError):
    """The bytes could not be had or kept. What arrived stays in `PATH.part` and is resumed next time."""

    code = "download_failed"


class DownloadDamaged(ClientError):
    """What arrived is not what was prepared; it was removed."""

    code = "download_damaged"

    def __init__(self, *, what: str, got: object, expected: object) -> None:
        super().__init__(f"The download is damaged and was removed: {what} is {got}, expected {expected}.")


class TargetExists(ClientError):
    code = "target_exists"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already. Choose another place, or replace it with force (--force).")
        self.path = path


class TargetInUse(ClientError):
    code = "target_in_use"

    def __init__(self, path: Path) -> None:
        super().__init__(f"Another download is writing {path}. Wait for it, or choose another place.")
        self.path = path
