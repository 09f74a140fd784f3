"""What a preparer is, what it receives and what it answers.

A preparer is an async function from a `Build` to a `Result`: the name of an object that exists already, a stream of
bytes that the worker hashes, stores, verifies and publishes, or a stream that a later attempt can continue. It never
touches the ledger or the engine.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from haulier.errors import HaulierError
from haulier.job import Request
from haulier.provenance import Inputs
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
    inputs: Inputs = None


class Mark(msgspec.Struct, frozen=True):
    """A place in a stream from which a later attempt can go on: it opens the stream with this mark, and gets exactly
    the bytes that would have followed.

    `state` is small and JSON-able and stands for itself; `log` is what has to be added to the logs of all marks before
    (a few dozen bytes for each member of an archive, say): an opened stream gets all of them joined. Marks
    cost nothing until a part of the artefact is stored: then the last one before its end is kept.
    """

    state: Mapping[str, Any]
    log: bytes = b""


class Resumable(msgspec.Struct, frozen=True):
    """Publish bytes that an interrupted attempt leaves for the next one to continue.

    `open(None)` gives the stream from its start, `open(mark)` what follows a mark of an earlier attempt. Both must be
    the same bytes whoever makes them: the same recipe and `inputs` decide over every byte. `digests` are what the
    source says of all bytes together (`sha-256` to 32 bytes, `md5` to 16); the worker compares them. `variant` tells
    apart what recipe and inputs do not, as the recipes of an archive's parts: another is another build. Nothing is held
    before `open` is called, since the worker may find that the same build runs or exists already; `aclose()` on what it
    returns releases everything.
    """

    file_name: str
    open: Callable[[Mark | None], AsyncIterator[bytes | Mark]]
    inputs: Inputs
    content_type: str = "application/octet-stream"
    size: int | None = None
    digests: Mapping[str, bytes] = {}
    variant: str = ""


Result = Existing | Stream | Resumable


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
    def request_params(self) -> Any:
        """What the client chose, an instance of the preparer's `request_params` type; None when it has none."""
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

    def settled(self, index: int, *, missing: HaulierError | None = None) -> None:
        """The file at `index` of the request's `file_ids` is in the archive, or is missing for this reason."""
        ...

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        """Keep a small JSON-able state for the next attempt, in place of the previous one."""
        ...

    async def part(self, file_id: int) -> Result:
        """Prepare another file of the catalogue as a part of this one. Its progress is not reported.

        A Resumable among the answers is opened with None, and its marks are not passed on.
        """
        ...


class Preparer(msgspec.Struct, frozen=True):
    """A preparer as it is registered in the entry-point group `haulier.preparers`.

    `params` is a msgspec Struct type; a catalogue rule's `params` table is validated against it. `request_params` is
    the type of what a client may choose (`"params"` of a request), or a function from the rule's params to such a type;
    None: nothing. `version` is another one whenever the same inputs give other bytes than before.
    """

    name: str
    params: type[msgspec.Struct]
    prepare: Callable[[Build], Awaitable[Result]]
    description: str = ""
    request_params: type[msgspec.Struct] | Callable[[Any], type[msgspec.Struct]] | None = None
    version: str = "1"
