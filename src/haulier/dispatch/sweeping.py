"""Removing what is over: expired artefacts, abandoned builds, orphaned uploads, old records and old engine entries."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from haulier.artefacts import ARTEFACTS, is_ours, owner_of
from haulier.engine import Engine
from haulier.errors import StorageUnavailable
from haulier.job import Job
from haulier.ledger import Ledger
from haulier.observe.events import ARTEFACT_EXPIRED, ORPHANS_SWEPT, RECORDS_FORGOTTEN
from haulier.storage import ObjectInfo, Storage

log = structlog.get_logger()

ORPHAN_AGE = timedelta(hours=1)  # an upload of a running attempt is younger or owned; see keys_in_use
BATCH = 500
ROUNDS = 20  # of one sweep, so that it never holds up the other duties for long


async def expire_artefacts(ledger: Ledger, storage: Storage) -> list[Job]:
    """Mark artefacts whose time is over and delete what Haulier wrote and nobody else has; the jobs that expired.

    An object that is not deleted, since the store is away or we die now, is an orphan for the next sweep.
    """
    over: list[Job] = []
    for _ in range(ROUNDS):
        expired = await ledger.retention.expire_artefacts()
        if keys := [key for key in expired.keys if is_ours(key)]:
            await storage.delete(keys)
        if expired.jobs:
            log.info(ARTEFACT_EXPIRED, jobs=len(expired.jobs), objects=len(keys))
        over += expired.jobs
        if not expired.more:
            break
    return over


async def sweep_orphans(ledger: Ledger, storage: Storage, *, now: datetime, longest_upload_s: float) -> int:
    """Delete objects under artifacts/ that no job, attempt or build has, and halves of uploads; how many."""
    keep = await ledger.retention.uploads_in_use()
    swept, batch = await storage.sweep_uploads(older_than_s=longest_upload_s, keep=keep), list[ObjectInfo]()
    async for found in storage.list(ARTEFACTS):
        if found.last_modified < now - ORPHAN_AGE:
            batch.append(found)
        if len(batch) == BATCH:
            swept += await _sweep(ledger, storage, batch)
            batch.clear()
    swept += await _sweep(ledger, storage, batch)
    if swept:
        log.info(ORPHANS_SWEPT, objects=swept)
    return swept


async def _sweep(ledger: Ledger, storage: Storage, found: Iterable[ObjectInfo]) -> int:
    owners = {info.key: owner for info in found if (owner := owner_of(info.key)) is not None}
    used = await ledger.retention.keys_in_use(owners) if owners else set[str]()
    orphans = [key for key in owners if key not in used]
    if orphans:
        await storage.delete(orphans)
    return len(orphans)


async def sweep_builds(ledger: Ledger, storage: Storage) -> int:
    """Forget builds that nobody goes on with, and abort what they have uploaded; how many uploads."""
    left = await ledger.retention.sweep_builds()
    for upload in left:
        with suppress(StorageUnavailable):  # the build is forgotten: sweep_orphans removes its upload later
            await storage.open_upload(upload.key, upload.handle).abort()
    return len(left)


async def sweep_records(ledger: Ledger, engine: Engine) -> None:
    """Forget old keys and counts, what nobody confirmed, workers that are gone, and finished engine entries."""
    await ledger.retention.sweep()
    await ledger.confirming.sweep()
    await ledger.workers.sweep()
    await engine.clean()


async def forget(ledger: Ledger, *, jobs_after: timedelta, events_after: timedelta) -> None:
    """Remove records whose retention is over, in statements of bounded size; what is left has to wait for the next."""
    for _ in range(ROUNDS):
        done = await ledger.retention.forget(jobs_after=jobs_after, events_after=events_after)
        if done.jobs or done.events or done.deliveries:
            log.info(
                RECORDS_FORGOTTEN,
                jobs=done.jobs,
                events=done.events,
                batches=done.batches,
                users=done.users,
                deliveries=done.deliveries,
            )
        if not done.more:
            return
