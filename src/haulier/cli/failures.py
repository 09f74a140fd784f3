"""How a command ends badly: the exit codes, and the one sentence on stderr."""

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING

from haulier.cli.offering import offer
from haulier.errors import ConfigurationError, HaulierError, NotVerifiable

if TYPE_CHECKING:
    from haulier.client import ApiError

FAILURE = 1
USAGE = 2
JOB_FAILED = 3
JOB_CANCELLED = 4
INCOMPLETE = 5
NOT_ALLOWED = 6
LIMITED = 7
UNREACHABLE = 8
DAMAGED = 9
INTERRUPTED = 130
LAST_WORDS_S = 1.0
_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
_CODES = {
    FAILURE: "failed",
    JOB_FAILED: "job_failed",
    JOB_CANCELLED: "job_cancelled",
    INCOMPLETE: "incomplete",
    INTERRUPTED: "interrupted",
}

EXIT_CODES = """\
Exit codes:
  0    done
  1    something failed, or a file is not verified; stderr says what
  2    a command, an option or a setting is not right, or a file to verify cannot be read
  3    the job failed; with --batch: all of them
  4    the job was cancelled
  5    not all of several files could be had; what could be had was saved
  6    the token is missing, not valid, or does not allow it
  7    a limit is reached: rate, daily quota
  8    the service does not answer, or cannot take it right now
  9    what was downloaded is damaged; it was removed
  130  interrupted by Ctrl-C"""


class CommandFailed(Exception):
    """A command's own way to fail: a sentence and an exit code."""

    def __init__(self, sentence: str, *, exit_code: int = FAILURE) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def tell(error: BaseException) -> int:
    """Print `error` to stderr in words and answer the exit code."""
    if isinstance(error, BrokenPipeError):
        _abandon_stdout()
        return FAILURE
    if _is_stdout_s(error):
        _abandon_stdout()
    if isinstance(error, KeyboardInterrupt):
        say_last("Interrupted.")
        return INTERRUPTED
    if isinstance(error, CommandFailed):
        (say_last if error.exit_code == INTERRUPTED else say)(str(error))
        return error.exit_code
    if isinstance(error, ConfigurationError):
        say(f"The configuration is not right. [{error.code}]")
        for problem in str(error).splitlines():
            say(f"  {problem}")
        return USAGE
    say(_sentence(error))
    return _exit_code(error)


def code_of(error: BaseException) -> str:
    """A stable word for `error`, for programs."""
    if isinstance(error, CommandFailed):
        return _CODES.get(error.exit_code, "failed")
    if ended := _job_s_end(error):
        return _CODES[ended]
    if _is_system_s(error):
        return "system_error"
    return getattr(error, "code", "internal_error")


def words_of(error: BaseException) -> str:
    """`error` as a sentence, without its code."""
    from haulier.cli.words import one_line
    from haulier.client.errors import JobCancelled, JobFailed

    if isinstance(error, JobFailed):
        return f"The job {error.job.job_id} failed. {one_line(str(error))}"
    if isinstance(error, JobCancelled):
        return f"The job {error.job.job_id} was cancelled."
    if isinstance(error, OSError) and error.errno is not None:
        if _is_stdout_s(error):
            return f"stdout cannot be written: {error.strerror}."
        said = error.strerror or str(error)
        return f"{error.filename} cannot be used: {said}." if error.filename else f"The system says: {said}."
    return str(error)


def _job_s_end(error: BaseException) -> int | None:
    """The exit code for a job that ended badly."""
    from haulier.client.errors import JobCancelled, JobFailed

    if isinstance(error, JobFailed):
        return JOB_FAILED
    return JOB_CANCELLED if isinstance(error, JobCancelled) else None


def _is_system_s(error: BaseException) -> bool:
    """A full disk, a folder that is none, and the like; no defect of ours."""
    return isinstance(error, OSError) and error.errno is not None


def _is_stdout_s(error: BaseException) -> bool:
    """Whether stdout cannot be written. What else is written has a name, or an error of its own."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _OF_WRITING


def _exit_code(error: BaseException) -> int:
    from haulier.client.errors import ApiError, BadToken, DownloadDamaged, UnexpectedAnswer, Unreachable

    if isinstance(error, NotVerifiable):
        return USAGE
    if ended := _job_s_end(error):
        return ended
    if isinstance(error, BadToken):
        return NOT_ALLOWED
    if isinstance(error, ApiError):
        return {401: NOT_ALLOWED, 403: NOT_ALLOWED, 429: LIMITED, 503: UNREACHABLE}.get(error.status, FAILURE)
    if isinstance(error, (Unreachable, UnexpectedAnswer)):
        return UNREACHABLE
    return DAMAGED if isinstance(error, DownloadDamaged) else FAILURE


def say(text: str) -> None:
    """A line on stderr; no traceback when nobody reads it any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def say_last(text: str) -> None:
    """As `say`, of a program that was told to end: it does not wait for long until somebody reads it."""
    offer(f"{text}\n".encode(sys.stderr.encoding, errors="replace"), to=sys.stderr.fileno(), within_s=LAST_WORDS_S)


def _sentence(error: BaseException) -> str:
    from haulier.client.errors import ApiError, ClientError, JobCancelled

    if isinstance(error, JobCancelled):
        return words_of(error)
    if isinstance(error, ApiError):
        return _api_s_words(error)
    if isinstance(error, (HaulierError, ClientError)):
        return f"{words_of(error)} [{error.code}]"
    if _is_system_s(error):
        return f"{words_of(error)} [{code_of(error)}]"
    return (
        f"Unexpected {type(error).__name__}: {error} [internal_error]\n"
        "This is a defect of Haulier. HAULIER_DEBUG=1 shows where it happened."
    )


def _api_s_words(error: "ApiError") -> str:
    """The problem, with what is wrong named as people say it: `url`, `notify.0`."""
    named = [f"{each.pointer.lstrip('/').replace('/', '.') or 'body'}: {each.detail}" for each in error.errors]
    source = f"[{error.code}, request {error.request_id}]"
    if len(named) > 1:
        return "\n  ".join([f"The request is not valid. {source}", *named])
    if named:
        return f"The request is not valid: {named[0]} {source}"
    hint = " Give it as HAULIER_TOKEN or --token." if error.status == 401 else ""
    return f"{error}{hint} {source}"


def _abandon_stdout() -> None:
    """Keep Python from complaining at exit about a pipe that nobody reads any more."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
