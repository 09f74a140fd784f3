"""From settings to a store."""

import secrets
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.errors import ConfigurationError
from haulier.settings import Secret, Settings, variable
from haulier.storage.folder import FolderStorage
from haulier.storage.memory import MemoryStorage
from haulier.storage.objects import ObjectStorage
from haulier.storage.s3 import open_s3
from haulier.storage.signing import FolderSigner


def open_storage(settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> ObjectStorage:
    """The store of HAULIER_STORAGE_URL; a missing folder is created. Raises ConfigurationError for a wrong URL.

    `file:///folder`, `memory:` (its links end with the process), or
    `s3://bucket?endpoint=http://host:port&…`, see s3_url.py.
    """
    url = urlsplit(settings.storage_url.reveal())
    if url.scheme == "s3":
        return _s3(url)
    if url.scheme == "memory":
        secret = _link_secret(settings) or Secret(secrets.token_urlsafe(32))
        return MemoryStorage(signer=_folder_signer(secret, settings, clock))
    if url.scheme == "file":
        secret = _link_secret(settings)
        if not secret:
            raise ConfigurationError(
                problems=f"{variable('url_secret')}: is required for a folder store without {variable('jwt_secret')}"
            )
        return FolderStorage(make_folder(folder_of(settings)), signer=_folder_signer(secret, settings, clock))
    raise _wrong("must start with file:, s3: or memory:")


def open_own_links(storage: ObjectStorage, settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> FolderSigner | None:
    """Links to the API's own /files: a folder's only ones, S3's for clients that need them. None without a secret."""
    if isinstance(storage.signer, FolderSigner):
        return storage.signer
    secret = _link_secret(settings)
    return _folder_signer(secret, settings, clock) if secret else None


def _s3(url: SplitResult) -> ObjectStorage:
    try:
        return open_s3(url)
    except ValueError as error:
        raise _wrong(str(error)) from error


def folder_of(settings: Settings) -> Path:
    """The folder that a `file:` URL names, whether it exists or not. Raises ConfigurationError when it names none."""
    url = urlsplit(settings.storage_url.reveal())
    folder = Path(unquote(url.path))
    if url.netloc not in {"", "localhost"} or not folder.is_absolute():
        raise _wrong("must be file:/// and an absolute path")
    return folder


def make_folder(folder: Path) -> Path:
    """Create it unless it exists. Raises ConfigurationError with the reason."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _wrong(f"the folder cannot be created: {error.strerror}") from error
    return folder


def _link_secret(settings: Settings) -> Secret:
    return settings.url_secret or settings.jwt_secret


def _folder_signer(secret: Secret, settings: Settings, clock: Clock) -> FolderSigner:
    return FolderSigner(secret, base_url=settings.base_url, clock=clock)


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError(problems=f"{variable('storage_url')}: {problem}")
