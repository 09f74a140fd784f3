"""From a preparer's result to a stored and verified artefact."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator

from haulier.artefacts import artefact_key
from haulier.errors import ArtefactDamaged, SourceTruncated
from haulier.job import Artefact
from haulier.preparers import Existing, Stream
from haulier.storage import Storage
from haulier.work.running import RunningAttempt


async def publish(result: Existing | Stream, running: RunningAttempt, *, storage: Storage) -> Artefact:
    """Store a stream, or take an existing object; either way with its size and SHA-256.

    Raises ArtefactDamaged or SourceTruncated when sizes disagree, and whatever the stream or the store raises; the
    store keeps nothing then.
    """
    if isinstance(result, Existing):
        return await _take(result, running, storage=storage)
    return await _store(result, running, storage=storage)


async def _take(existing: Existing, running: RunningAttempt, *, storage: Storage) -> Artefact:
    digest, done = hashlib.sha256(), 0
    async for chunk in storage.read(existing.key, etag=existing.etag):
        await asyncio.to_thread(digest.update, chunk)
        done += len(chunk)
        running.report(done=done, total=existing.size, stage="verifying")
    if done != existing.size:
        raise SourceTruncated(name=existing.file_name, got=done, expected=existing.size)
    return Artefact(
        key=existing.key,
        file_name=existing.file_name,
        content_type=existing.content_type,
        size=existing.size,
        etag=existing.etag,
        sha256=digest.hexdigest(),
    )


async def _store(stream: Stream, running: RunningAttempt, *, storage: Storage) -> Artefact:
    key = artefact_key(running.attempt.job.id, running.attempt.number, stream.file_name)
    try:
        written = await storage.write(
            key, _checked(stream, running), file_name=stream.file_name, content_type=stream.content_type
        )
    finally:
        if isinstance(stream.chunks, AsyncGenerator):
            await stream.chunks.aclose()
    found = await storage.head(key)
    if found is None or found.size != written.size:
        raise ArtefactDamaged(got=found.size if found else 0, expected=written.size)
    return Artefact(
        key=key,
        file_name=stream.file_name,
        content_type=stream.content_type,
        size=written.size,
        etag=found.etag,
        sha256=written.sha256,
    )


async def _checked(stream: Stream, running: RunningAttempt) -> AsyncIterator[bytes]:
    """The stream's chunks; ends with an error when it was stopped, or is shorter or longer than it said."""
    done = 0
    async for chunk in stream.chunks:
        running.check()
        done += len(chunk)
        yield chunk
    if stream.size is not None and done != stream.size:
        raise SourceTruncated(name=stream.file_name, got=done, expected=stream.size)
