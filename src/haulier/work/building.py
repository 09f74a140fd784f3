"""From a preparer's result to an artefact that several jobs may share: lead the build, follow who does, or take it."""

import hashlib
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from haulier import __version__
from haulier.artefacts import is_ours
from haulier.clock import Clock, wire_time
from haulier.errors import UploadLost
from haulier.job import Artefact, Attempt
from haulier.ledger import Builds, Joined
from haulier.observe import events
from haulier.preparers import Existing, Inputs, Result, Resumable, Stream
from haulier.preparers.streams import close
from haulier.provenance import INPUTS_LISTED, Input, Provenance, digest_of_inputs
from haulier.storage import Storage
from haulier.work.desk import Prepared
from haulier.work.outcomes import Done, Followed, Lost, Outcome, Shared
from haulier.work.publishing import publish
from haulier.work.resuming import Build, resume, start_over
from haulier.work.running import RunningAttempt

log = structlog.get_logger()

# Digesting a smaller object of the store takes no longer than asking who did it before.
SHARED_FROM_BYTES = 1 << 20

# Repeats a call until the ledger answers.
Patiently = Callable[[Callable[[], Awaitable[Joined]]], Awaitable[Joined]]


class Builder:
    """Makes artefacts of results, once for all jobs that want the same one."""

    def __init__(self, *, builds: Builds, storage: Storage, clock: Clock) -> None:
        self._builds = builds
        self._storage = storage
        self._clock = clock

    async def make(self, prepared: Prepared, running: RunningAttempt, *, patiently: Patiently) -> Outcome:
        """The artefact of `prepared`, or what became of the job instead.

        Raises what the stream or the store raises; what was stored of a Resumable by then is kept for another attempt.
        """
        result, attempt = prepared.result, running.attempt
        inputs = _inputs(result)
        provenance = self._provenance(prepared, inputs, attempt)
        if not isinstance(result, Resumable) and not _is_shared(result, inputs):
            return Done(await publish(result, running, storage=self._storage), self._finished(provenance))
        key = build_key(prepared, inputs, attempt)
        try:
            joined = await patiently(lambda: self._join(key, attempt))
        except BaseException:
            await _discard(result)
            raise
        match joined.outcome:
            case "leading":
                running.build_key = key
                artefact = await self._lead(result, running, Build(key, attempt, joined.upload))
                return Done(artefact, self._finished(provenance))
            case "following":
                await _discard(result)
                return Followed()
            case "shared":
                await _discard(result)
                return Shared()
            case "lost" | "exists":
                await _discard(result)
                return Lost()

    async def _join(self, key: bytes, attempt: Attempt) -> Joined:
        """Join the build; an artefact that exists is taken when the store still has it, and built anew otherwise."""
        joined = await self._builds.join(key, attempt)
        while joined.artefact is not None and joined.outcome == "exists":
            offered = joined.artefact
            found = await self._storage.head(offered.key)
            if found is not None and (found.size, found.etag) == (offered.size, offered.etag):
                joined = await self._builds.join(key, attempt, take=offered.key)
            else:
                log.warning(events.ARTEFACT_GONE, key=offered.key)
                joined = await self._builds.join(key, attempt, refuse=offered.key)
        return joined

    async def _lead(self, result: Result, running: RunningAttempt, build: Build) -> Artefact:
        if not isinstance(result, Resumable):
            return await publish(result, running, storage=self._storage)
        try:
            return await resume(result, running, build, storage=self._storage, builds=self._builds)
        except UploadLost:
            log.warning(events.BUILD_STARTED_OVER)
            await start_over(build, storage=self._storage, builds=self._builds)
            return await resume(result, running, build, storage=self._storage, builds=self._builds)

    async def remove(self, running: RunningAttempt, made: Artefact | None) -> None:
        """Remove what an attempt stored whose job is over without it, or that lost its job.

        Parts and artefacts of a build that others want, or lead by now, stay: their leaders go on with them under the
        same key.
        """
        if running.build_key is not None:
            released = await self._builds.release(running.build_key, running.attempt)
            if released is None:
                return
            if released.upload is not None:
                await self._storage.open_upload(released.upload.key, released.upload.handle).abort()
        if made is not None and is_ours(made.key):
            await self._storage.delete([made.key])

    def _provenance(self, prepared: Prepared, inputs: Inputs, attempt: Attempt) -> Provenance:
        return Provenance(
            haulier=__version__,
            preparer=prepared.preparer.name,
            preparer_version=prepared.preparer.version,
            recipe=recipe_digest(prepared, attempt).hex(),
            inputs=None if inputs is None else inputs[:INPUTS_LISTED],
            inputs_total=None if inputs is None else len(inputs),
            inputs_sha256=None if inputs is None else digest_of_inputs(inputs),
            built_by=str(attempt.job.id),
            attempt=attempt.number,
            started_at=wire_time(self._clock.now()),
            finished_at="",
        )

    def _finished(self, provenance: Provenance) -> Provenance:
        return msgspec.structs.replace(provenance, finished_at=wire_time(self._clock.now()))


def recipe_digest(prepared: Prepared, attempt: Attempt) -> bytes:
    """SHA-256 over what decides about an artefact besides its sources: preparer, version, params, choices, name."""
    recipe, request = prepared.recipe, attempt.job.request
    facts = (
        prepared.preparer.name,
        prepared.preparer.version,
        recipe.params,
        request.params,
        request.allow_missing,
        prepared.result.file_name,
        prepared.result.content_type,
        prepared.result.variant if isinstance(prepared.result, Resumable) else "",
    )
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).digest()


def build_key(prepared: Prepared, inputs: Inputs, attempt: Attempt) -> bytes:
    """What makes two builds one: the recipe and the versions of all sources; without these, the job itself."""
    versions = f"job {attempt.job.id}" if inputs is None else f"inputs {digest_of_inputs(inputs)}"
    return hashlib.sha256(recipe_digest(prepared, attempt) + versions.encode()).digest()


def _inputs(result: Result) -> Inputs:
    if isinstance(result, Existing):
        return (Input(result.key, result.etag, result.size),)
    return result.inputs


def _is_shared(result: Existing | Stream, inputs: Inputs) -> bool:
    """Whether others may want the same, so that the ledger shall know of it."""
    if isinstance(result, Existing):
        return result.size >= SHARED_FROM_BYTES
    return inputs is not None


async def _discard(result: Result) -> None:
    """Release a stream that nobody will read; a Resumable holds nothing yet."""
    chunks = getattr(result, "chunks", None)
    if chunks is not None:
        await close(chunks)
