"""Removing what is over: expired artefacts, orphaned uploads, old rows and old engine entries."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from haulier.artefacts import ARTEFACTS, is_ours, owner_of
from haulier.engine import Engine
from haulier.job import Job
from haulier.ledger import Ledger
from haulier.observe.events import ARTEFACT_EXPIRED, ORPHANS_SWEPT
from haulier.storage import ObjectInfo, Storage

log = structlog.get_logger()

ORPHAN_AGE = timedelta(hours=1)  # an upload of a running attempt is younger or owned; see attempts_alive
BATCH = 500


async def expire_artefacts(ledger: Ledger, storage: Storage) -> list[Job]:
    """Mark artefacts whose time is over and delete the objects that Haulier wrote; the jobs that expired."""
    expired = await ledger.backlog.expire_artefacts()
    keys = [job.artefact.key for job in expired if job.artefact and is_ours(job.artefact.key)]
    if keys:
        await storage.delete(keys)
        log.info(ARTEFACT_EXPIRED, jobs=len(expired), objects=len(keys))
    return expired


async def sweep_orphans(ledger: Ledger, storage: Storage, *, now: datetime, longest_upload_s: float) -> int:
    """Delete objects under artifacts/ that no running or published attempt owns, and halves of uploads; how many."""
    swept, batch = await storage.sweep_uploads(older_than_s=longest_upload_s), list[ObjectInfo]()
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
    alive = await ledger.backlog.attempts_alive([job_id for job_id, _ in owners.values()]) if owners else set()
    orphans = [key for key, owner in owners.items() if owner not in alive]
    if orphans:
        await storage.delete(orphans)
    return len(orphans)


async def sweep_records(ledger: Ledger, engine: Engine) -> None:
    """Forget old idempotency keys, workers that are gone, and finished engine entries."""
    await ledger.backlog.sweep()
    await ledger.workers.sweep()
    await engine.clean()
