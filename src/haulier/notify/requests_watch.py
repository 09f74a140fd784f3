"""Seeing what apprise's requests came to: apprise itself says no more than whether all went well.

Apprise calls `requests`, which gives every session an adapter of `requests.sessions.HTTPAdapter`. Ours is put in its
place once: it counts for whoever watches in its own context, and does nothing else.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError


@dataclass
class Seen:
    """`answers` are HTTP statuses in order, `unsent` requests that found nobody, `lost` those without an answer."""

    answers: list[int] = field(default_factory=list[int])
    unsent: int = 0
    lost: int = 0

    @property
    def anything_taken(self) -> bool:
        """Whether some request may have had its effect."""
        return self.lost > 0 or any(status < 400 for status in self.answers)


_SEEN: ContextVar[Seen | None] = ContextVar("requests seen", default=None)
_INSTALLING = Lock()


class WatchedAdapter(HTTPAdapter):
    """The standard adapter, seen."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        seen = _SEEN.get()
        if seen is None:
            return super().send(request, *args, **kwargs)
        try:
            response = super().send(request, *args, **kwargs)
        except Exception as error:
            if _never_connected(error):
                seen.unsent += 1
            else:
                seen.lost += 1
            raise
        seen.answers.append(response.status_code)
        return response


def _never_connected(error: Exception) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return True
    inner = error.args[0] if error.args else None
    return isinstance(inner, MaxRetryError) and isinstance(inner.reason, NewConnectionError)


@contextmanager
def watching_requests() -> Generator[Seen]:
    """What this thread asks during the block."""
    with _INSTALLING:
        requests.sessions.HTTPAdapter = WatchedAdapter  # pyright: ignore[reportPrivateImportUsage]
    seen = Seen()
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)
