"""Credentials of botocore's standard chain together with their end."""

import asyncio
from datetime import datetime
from typing import Any, NamedTuple, cast

from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from haulier.storage.failures import unavailable


class Current(NamedTuple):
    """Credentials as they are now: botocore's frozen ones, and when they end (None: never)."""

    frozen: Any
    ends: datetime | None


class CurrentCredentials:
    """Credentials of a role, a web identity, a container or a profile; temporary ones are renewed as botocore does,
    15 minutes before they end.

    Raises StorageUnavailable when temporary ones cannot be renewed and have ended.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def get(self) -> Current:
        """The current ones, off the event loop where they have to be fetched."""
        credentials = self._credentials
        if isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed():
            return await asyncio.to_thread(self.read)
        return self.read()

    def read(self) -> Current:
        """The same, blocking."""
        credentials = self._credentials
        try:
            frozen = credentials.get_frozen_credentials()  # renews them when it is time
        except (BotoCoreError, ClientError, OSError, RuntimeError, KeyError) as error:
            raise unavailable(error) from error
        if not isinstance(credentials, RefreshableCredentials):
            return Current(_without_empty_token(frozen), None)
        # botocore shows the end nowhere; under its lock both are of the same renewal.
        private = cast("Any", credentials)
        with private._refresh_lock:
            return Current(_without_empty_token(private._frozen_credentials), private._expiry_time)


def _without_empty_token(frozen: Any) -> Any:
    """botocore would sign and send a token of no characters, which stores refuse."""
    return frozen._replace(token=frozen.token or None)
