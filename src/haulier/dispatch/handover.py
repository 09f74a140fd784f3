"""Handing queued jobs to the engine in fair order, and taking back what the engine does not hold."""

from datetime import timedelta

import structlog

from haulier.engine import Engine
from haulier.ledger import Backlog
from haulier.observe.events import DISPATCH_TOOK_BACK

log = structlog.get_logger()

AT_ONCE = 100
# Whoever submits or takes a job hands it over right after its commit: only older marks are worth a look.
UNCLAIMED_AGE = timedelta(seconds=2)


async def hand_over(backlog: Backlog, engine: Engine) -> int:
    """Hand over as many jobs as the engine's window has room for; how many.

    The mark in the ledger comes first. Raises EngineUnavailable with the marks set: `reconcile` takes them back.
    """
    taken = await backlog.take(most=AT_ONCE)
    if taken:
        await engine.hand_over(taken)
    return len(taken)


async def reconcile(backlog: Backlog, engine: Engine) -> int:
    """Return jobs that are marked as handed over and missing in the engine to the backlog; how many."""
    unclaimed = await backlog.unclaimed(age=UNCLAIMED_AGE)
    if not unclaimed:
        return 0
    present = await engine.present(unclaimed)
    missing = [handed for handed in unclaimed if handed not in present]
    if not missing:
        return 0
    taken_back = await backlog.take_back(missing)
    log.info(DISPATCH_TOOK_BACK, jobs=taken_back)
    return taken_back
