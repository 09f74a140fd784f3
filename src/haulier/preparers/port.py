"""What a preparer is, what it receives and what it answers.

A preparer is an async function from a `Build` to a `Result`: either the name of an object that exists already, or a
stream of bytes that the worker hashes, stores, verifies and publishes. It never touches the ledger or the engine.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from haulier.job import Request
from haulier.settings import Settings
from haulier.storage import Storage


class Existing(msgspec.Struct, frozen=True):
    """Publish this object of the store as it is. `size` in bytes and `etag` as the store told."""

    key: str
    size: int
    etag: str
    file_name: str
    content_type: str = "application/octet-stream"


class Stream(msgspec.Struct, frozen=True):
    """Publish these bytes. `chunks` is read once, to its end; `size` is checked when it is known beforehand.

    Closing: the worker calls `aclose()` on `chunks` when it is an async generator, also after an error or a cancel.
    """

    file_name: str
    chunks: AsyncIterator[bytes]
    content_type: str = "application/octet-stream"
    size: int | None = None


Result = Existing | Stream


class Build(Protocol):
    """What a preparer receives."""

    @property
    def request(self) -> Request:
        """What the client asked for."""
        ...

    @property
    def file_name(self) -> str:
        """The name that the catalogue's rule gives the artefact, or '' when the preparer shall choose."""
        ...

    @property
    def params(self) -> Any:
        """The rule's parameters, an instance of the preparer's `params` type."""
        ...

    @property
    def storage(self) -> Storage:
        """The object store, for reading sources."""
        ...

    @property
    def settings(self) -> Settings:
        """The process's settings (limits and timeouts)."""
        ...

    @property
    def checkpoint(self) -> Mapping[str, Any] | None:
        """What an earlier attempt saved, or None."""
        ...

    def report(self, *, done: int, total: int | None = None, stage: str = "") -> None:
        """Tell how far the work is, in bytes. Cheap and never blocking: call it as often as you like.

        Raises an error of the worker's when the attempt was stopped: let it pass.
        """
        ...

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        """Keep a small JSON-able state for the next attempt, in place of the previous one."""
        ...

    async def part(self, file_id: int) -> Result:
        """Prepare another file of the catalogue as a part of this one. Its progress is not reported."""
        ...


class Preparer(msgspec.Struct, frozen=True):
    """A preparer as it is registered in the entry-point group `haulier.preparers`.

    `params` is a msgspec Struct type; a catalogue rule's `params` table is validated against it.
    """

    name: str
    params: type[msgspec.Struct]
    prepare: Callable[[Build], Awaitable[Result]]
    description: str = ""
