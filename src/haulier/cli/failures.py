"""How a command ends badly: the exit codes, and the one sentence on stderr."""

import contextlib
import os
import sys

from haulier.errors import ConfigurationError, HaulierError, NotVerifiable

FAILURE = 1
USAGE = 2
JOB_FAILED = 3
JOB_CANCELLED = 4
INCOMPLETE = 5
INTERRUPTED = 130

EXIT_CODES = """\
Exit codes:
  0    done
  1    something failed, or a file is not verified; stderr says what
  2    a command, an option or a setting is not right, or a file to verify cannot be read
  3    the job failed
  4    the job was cancelled
  5    not all of several files could be had; the others were saved
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
    if isinstance(error, KeyboardInterrupt):
        say("Interrupted.")
        return INTERRUPTED
    if isinstance(error, CommandFailed):
        say(str(error))
        return error.exit_code
    if isinstance(error, ConfigurationError):
        say(f"The configuration is not right. [{error.code}]")
        for problem in str(error).splitlines():
            say(f"  {problem}")
        return USAGE
    say(_sentence(error))
    return USAGE if isinstance(error, NotVerifiable) else FAILURE


def say(text: str) -> None:
    """A line on stderr; no traceback when nobody reads it any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _sentence(error: BaseException) -> str:
    from haulier.client.errors import ApiError, ClientError

    if isinstance(error, ApiError) and len(error.errors) > 1:
        each = "".join(f"\n  {problem.pointer}: {problem.detail}" for problem in error.errors)
        return f"The request is not valid. [{error.code}, request {error.request_id}]{each}"
    if isinstance(error, ApiError):
        return f"{error} [{error.code}, request {error.request_id}]"
    if isinstance(error, (HaulierError, ClientError)):
        return f"{error} [{error.code}]"
    return (
        f"Unexpected {type(error).__name__}: {error} [internal_error]\n"
        "This is a defect of Haulier. HAULIER_DEBUG=1 shows where it happened."
    )


def _abandon_stdout() -> None:
    """Keep Python from complaining at exit about a pipe that nobody reads any more."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
