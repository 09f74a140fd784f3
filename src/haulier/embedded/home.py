"""The home folder: who runs on it, its secrets, its data, and how others find what runs."""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from haulier.embedded.ports import free_port
from haulier.errors import ConfigurationError, HomeInUse
from haulier.settings import Secret

LOCK = "lock"
SECRETS = "secrets.json"
PORTS = "ports.json"
RUNTIME = "runtime.json"
# Others hold the lock for a moment when they look whether we run.
LOCK_PATIENCE_S = 0.5


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Made once for each home; all are URL-safe text of 256 bits, which is a private key's form as well."""

    jwt_secret: Secret
    url_secret: Secret
    postgres_password: Secret
    valkey_password: Secret
    receipt_key: Secret = msgspec.field(default_factory=Secret)


class Home:
    """One home folder. Everything but the path needs `held()`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def store(self) -> Path:
        """The folder that is the object store: object `a/b` is file `store/a/b`."""
        return self.folder / "store"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @contextmanager
    def held(self) -> Generator[None]:
        """Make the folder (0700) and own it for the length of the block; raises HomeInUse when another process does.

        The kernel gives it back however we end.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(problems=f"home {self.folder}: {error.strerror}") from error
        with os.fdopen(descriptor, "r+") as lock:
            if not _locks(descriptor, patience_s=LOCK_PATIENCE_S):
                raise HomeInUse(home=str(self.folder), pid=lock.read().strip() or "?")
            lock.truncate()
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            (self.folder / RUNTIME).unlink(missing_ok=True)
            self.store.mkdir(exist_ok=True, mode=0o700)
            yield

    def secrets(self) -> Secrets:
        """The home's secrets, made at the first call ever; homes of older versions get what they lack."""
        path = self.folder / SECRETS
        if not path.exists():
            made = {name: secrets.token_urlsafe(32) for name in Secrets.__struct_fields__}
            _write_private(path, msgspec.json.encode(made))
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Secrets, dec_hook=_secret)
        except msgspec.MsgspecError as error:
            raise ConfigurationError(problems=f"{path}: {error}; restore it from a backup") from error
        if not found.receipt_key:
            found = msgspec.structs.replace(found, receipt_key=Secret(secrets.token_urlsafe(32)))
            _write_private(path, msgspec.json.encode(found, enc_hook=_revealed))
        return found

    def ports(self, *names: str, taken: Collection[int] = ()) -> dict[str, int]:
        """A free port for each server, the one of its last start if possible, so that clients find it again.

        None of `taken`: who is going to listen there does not yet.
        """
        path = self.folder / PORTS
        try:
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.MsgspecError):
            known = {}
        chosen: dict[str, int] = {}
        for name in names:
            chosen[name] = free_port(preferred=known.get(name, 0), taken=[*taken, *chosen.values()])
        _write_private(path, msgspec.json.encode(known | chosen))
        return chosen

    @contextmanager
    def announced(self, environ: Mapping[str, str]) -> Generator[None]:
        """For the length of the block, `running_environment` answers `environ`."""
        path = self.folder / RUNTIME
        _write_private(path, msgspec.json.encode(dict(environ)))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def running_environment(folder: Path) -> dict[str, str]:
    """The HAULIER_... variables of the `haulier up` that runs on `folder`, secrets included.

    Raises ConfigurationError when none runs there, whatever a killed one left, or when it is not ready yet.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _not_running(folder) from None
    try:
        if _locks(descriptor):
            raise _not_running(folder)
    finally:
        os.close(descriptor)
    try:
        return msgspec.json.decode((folder / RUNTIME).read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        raise ConfigurationError(
            problems=f"home {folder}: its `haulier up` is starting or stopping; try again when it is ready"
        ) from None


def _not_running(folder: Path) -> ConfigurationError:
    return ConfigurationError(
        problems=f"home {folder}: nothing runs there; start `haulier up`, or choose another folder with --home"
    )


def _locks(descriptor: int, *, patience_s: float = 0.0) -> bool:
    """Whether we got the lock, within `patience_s`. Closing the descriptor gives it back."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _write_private(path: Path, content: bytes) -> None:
    """Replace `path` in one step, durably, readable for our user only."""
    draft = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _revealed(secret: Any) -> str:
    assert isinstance(secret, Secret)
    return secret.reveal()


def _secret(kind: type, value: Any) -> Any:
    assert kind is Secret
    return Secret(value)
