"""Publishing a Resumable: from where an earlier attempt stopped, in parts, and verified."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from haulier.artefacts import artefact_key
from haulier.errors import ArtefactDamaged, AttemptError, LedgerUnavailable, SourceDamaged, SourceTruncated, UploadLost
from haulier.job import Artefact, Attempt
from haulier.ledger import Builds, KeptPart, KeptUpload
from haulier.preparers import Resumable
from haulier.storage import Storage, Upload
from haulier.work.parts import Digests, Note, PartWriter, Progressed, progressed
from haulier.work.running import RunningAttempt


class Build(msgspec.Struct):
    """A build that this attempt leads. `upload` is where its parts go, `is_noted` whether the ledger knows."""

    key: bytes
    attempt: Attempt
    upload: KeptUpload | None
    is_noted: bool = True


async def resume(
    result: Resumable, running: RunningAttempt, build: Build, *, storage: Storage, builds: Builds
) -> Artefact:
    """Write what is missing of the artefact and complete it.

    Raises UploadLost when what an earlier attempt stored is of no use any more; SourceDamaged, SourceTruncated,
    ArtefactDamaged when the result is not what was announced; and whatever the stream or the store raises.
    """
    since = progressed(await builds.parts(build.key)) if build.upload else Progressed()
    if any(part.size != storage.part_bytes for part in since.parts):
        raise UploadLost  # of a version that cut them otherwise: their numbers would not fit ours
    writer = PartWriter(
        part_bytes=storage.part_bytes,
        begin=_begin(result, build, storage=storage, builds=builds),
        note=_note(build, builds=builds),
        digests=_digests(result, since),
        since=since,
        upload=storage.open_upload(build.upload.key, build.upload.handle) if build.upload else None,
    )
    content = await writer.write(result.open(since.mark), check=running.check)
    try:
        _verify(result, writer)
    except AttemptError:
        await start_over(build, storage=storage, builds=builds)
        raise
    if content is not None:
        return await _small(result, content, writer.digests, build, storage=storage)
    assert writer.upload is not None
    assert build.upload is not None
    etag = await writer.upload.complete(writer.in_order())
    found = await storage.head(build.upload.key)
    if found is None or found.size != writer.size:
        raise ArtefactDamaged(got=found.size if found else 0, expected=writer.size)
    return _artefact(result, build.upload.key, writer.size, found.etag or etag, writer.digests)


def _digests(result: Resumable, since: Progressed) -> Digests:
    try:
        return Digests(result.digests, states=since.states)
    except ValueError as error:  # made on a machine whose digests this one cannot go on with
        raise UploadLost from error


async def start_over(build: Build, *, storage: Storage, builds: Builds) -> None:
    """Remove what is stored of the build, unless another attempt has come to lead it and goes on with that."""
    upload, build.upload = build.upload, None
    if upload is not None and await builds.restart(build.key, build.attempt):
        await storage.open_upload(upload.key, upload.handle).abort()


def _begin(result: Resumable, build: Build, *, storage: Storage, builds: Builds) -> Callable[[], Awaitable[Upload]]:
    async def begin() -> Upload:
        key = artefact_key(build.attempt.job.id, build.attempt.number, result.file_name)
        upload = await storage.begin_upload(key, file_name=result.file_name, content_type=result.content_type)
        build.upload, build.is_noted = KeptUpload(key, upload.handle), False
        with suppress(LedgerUnavailable):  # no reason to stop: it is noted with the first parts
            await _note_upload(build, builds=builds)
        return upload

    return begin


def _note(build: Build, *, builds: Builds) -> Note:
    async def note(parts: Sequence[KeptPart]) -> None:
        await _note_upload(build, builds=builds)
        await builds.record(build.key, build.attempt, parts)

    return note


async def _note_upload(build: Build, *, builds: Builds) -> None:
    if build.upload is not None and not build.is_noted:
        await builds.keep_upload(build.key, build.attempt, build.upload)
        build.is_noted = True


def _verify(result: Resumable, writer: PartWriter) -> None:
    if result.size is not None and writer.size != result.size:
        raise SourceTruncated(name=result.file_name, got=writer.size, expected=result.size)
    if writer.digests.contradict(result.digests):
        raise SourceDamaged(name=result.file_name)


async def _small(result: Resumable, content: bytes, digests: Digests, build: Build, *, storage: Storage) -> Artefact:
    key = artefact_key(build.attempt.job.id, build.attempt.number, result.file_name)

    async def once() -> AsyncIterator[bytes]:
        yield content

    written = await storage.write(key, once(), file_name=result.file_name, content_type=result.content_type)
    return _artefact(result, key, written.size, written.etag, digests)


def _artefact(result: Resumable, key: str, size: int, etag: str, digests: Digests) -> Artefact:
    return Artefact(
        key=key,
        file_name=result.file_name,
        content_type=result.content_type,
        size=size,
        etag=etag,
        sha256=digests.sha256.hex(),
    )
