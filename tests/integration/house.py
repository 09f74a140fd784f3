"""A worker process inside the test: real worker, dispatcher, engine and stores, preparers of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import msgspec

from haulier.job import Job, Request, Status
from haulier.ledger import Ledger
from haulier.preparers import Build, Existing, Preparer, Result, Stream
from haulier.preparers.registry import Registry
from haulier.settings import Settings
from haulier.worker_process import serve
from tests.builders import submission
from tests.waiting import PATIENCE_S, eventually


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class House:
    """What tests do with a running worker."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self.ledger = ledger
        self.settings = settings
        self.store = Path(settings.storage_url.reveal().removeprefix("file://"))

    async def submit(self, **fields: object) -> Job:
        """A job; by default for the preparer under test."""
        admission = await self.ledger.submissions.submit(submission(**fields))
        assert admission.job is not None
        return admission.job

    async def until(self, job: Job, status: Status, *, within_s: float = PATIENCE_S) -> Job:
        """The job once it has this status."""

        async def look() -> Job | None:
            current = await self.ledger.jobs.get(job.id)
            assert current is not None
            assert current.status is status or not current.is_terminal, current
            return current if current.status is status else None

        found = await eventually(look, within_s=within_s)
        assert isinstance(found, Job)
        return found

    async def until_backing_off(self, job: Job) -> None:
        """Wait until an attempt of the job has failed transiently."""

        async def look() -> object:
            current = await self.ledger.jobs.get(job.id)
            assert current is not None
            return current.retry_at

        await eventually(look)

    def artefacts(self) -> list[str]:
        """Keys of all objects under artifacts/."""
        return sorted(str(path.relative_to(self.store)) for path in self.store.glob("artifacts/**/*") if path.is_file())


@asynccontextmanager
async def worker(
    settings: Settings, ledger: Ledger, prepare: Callable[[Build], Awaitable[Result]] | None = None
) -> AsyncIterator[House]:
    """A worker process's insides, running until the end of the block; every file is made by `prepare` when given."""
    stop = asyncio.Event()
    preparer = Preparer(name="object", params=msgspec.Struct, prepare=prepare) if prepare else None
    with patch.object(Registry, "installed", _only(preparer) if preparer else Registry.installed):
        serving = asyncio.create_task(serve(settings, stop=stop))
        try:
            house = House(ledger, settings)

            async def manned() -> bool:
                assert not serving.done(), serving.exception()
                return (await ledger.jobs.fleet()).slots > 0

            await eventually(manned)
            yield house
        finally:
            stop.set()
            await serving


def _only(preparer: Preparer) -> Callable[[], object]:
    class Bench:
        def get(self, _name: str) -> Preparer:
            return preparer

        def params(self, _recipe: object) -> Nothing:
            return Nothing()

        def request_params(self, _recipe: object, _given: object) -> None:
            return None

    return Bench


async def bytes_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def stream(*chunks: bytes, **fields: object) -> Stream:
    """A result of these bytes."""
    return Stream(**{"file_name": "file.bin", "chunks": bytes_of(*chunks)} | fields)


__all__ = ["Existing", "House", "Request", "bytes_of", "stream", "worker"]
