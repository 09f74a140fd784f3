"""One child process: its own session, ended with its parent whatever happens, stopped gracefully."""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec

from haulier.errors import ConfigurationError

CLAIM_WAIT_S = 30.0
CLAIM_POLL_S = 0.02
HURRY_S = 1.0
LOG_MAX_BYTES = 10 * 2**20


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How a child is started and ended. No secret belongs into `argv`: every user of the machine can read it."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path | None = None
    # None: the child writes where we write.
    log: Path | None = None
    # What runs before `setpriv`, which must come last: a change of user forgets the death signal.
    prefix: tuple[str, ...] = ()
    stop_signal: int = signal.SIGTERM
    # What the kernel sends the child when we die without stopping it.
    death_signal: int = signal.SIGKILL
    grace_s: float = 10.0
    # A file that the child and its descendants keep locked: nobody starts in their folder before the last has ended.
    claim: Path | None = None
    # Files of a killed predecessor that would mislead this one; removed once the claim is ours.
    leftovers: tuple[Path, ...] = ()

    @property
    def line(self) -> tuple[str, ...]:
        """The whole command line."""
        return (*self.prefix, "setpriv", "--pdeathsig", signal.Signals(self.death_signal).name[3:], *self.argv)


class Child:
    """A running child. Start it from the main thread: the death signal comes when the thread that forked ends."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, command: Command) -> "Child":
        """Start the child, after whatever still holds its claim has ended; ConfigurationError when that takes 30 s."""
        with contextlib.ExitStack() as opened:
            inherited: tuple[int, ...] = ()
            if command.claim is not None:
                claim = await _claimed(command.claim, name=command.name)
                opened.callback(os.close, claim)
                inherited = (claim,)
                for path in command.leftovers:
                    path.unlink(missing_ok=True)
            output = None
            if command.log is not None:
                output = _opened_log(command.log)
                opened.callback(os.close, output)
            process = await asyncio.create_subprocess_exec(
                *command.line,
                env=dict(command.environ),
                cwd=command.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=inherited,
            )
        return cls(command, process)

    async def wait(self) -> int:
        """The exit code; negative for the signal that ended it."""
        return await self._process.wait()

    async def stop(self, *, hurry: asyncio.Event) -> int:
        """Ask the child to end; kill it when its grace time is over, or one second after `hurry` is set."""
        ended = asyncio.ensure_future(self.wait())
        hurried = asyncio.ensure_future(hurry.wait())
        self._send(self.command.stop_signal)
        try:
            await asyncio.wait({ended, hurried}, timeout=self.command.grace_s, return_when=asyncio.FIRST_COMPLETED)
            if hurried.done():
                await asyncio.wait({ended}, timeout=HURRY_S)
        finally:
            hurried.cancel()
            if not ended.done():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        return await ended

    def _send(self, number: int) -> None:
        # Not through Process.send_signal: its poll() can take the exit code away from asyncio's watcher.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


async def _claimed(path: Path, *, name: str) -> int:
    """A descriptor that holds the lock on `path`; the lock lives until its last copy, inherited ones too, is closed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        async with asyncio.timeout(CLAIM_WAIT_S):
            while not _try_lock(descriptor):  # noqa: ASYNC110 # no event tells that another process let go
                await asyncio.sleep(CLAIM_POLL_S)
    except TimeoutError:
        os.close(descriptor)
        raise ConfigurationError(problems=f"{name}: an earlier {name} still runs in {path.parent}; end it") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened_log(path: Path) -> int:
    """A descriptor that appends to `path`, for our user only; a log above 10 MiB becomes `NAME.log.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_MAX_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
