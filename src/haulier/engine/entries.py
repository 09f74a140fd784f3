"""How a hand-over looks in BullMQ: its id, its data, its options. Pure."""

from typing import Any
from uuid import UUID

from haulier.job import Handed

QUEUE = "downloads"
NAME = "download"
COMPLETED_KEPT_S = 24 * 3_600
FAILED_KEPT_S = 7 * 24 * 3_600
COMPLETED_KEPT = 10_000

# The ledger retries, delays and limits (gap 2: BullMQ's own limiter and global concurrency are broken), so one attempt.
OPTIONS: dict[str, Any] = {
    "attempts": 1,
    "removeOnComplete": {"age": COMPLETED_KEPT_S, "count": COMPLETED_KEPT},
    "removeOnFail": {"age": FAILED_KEPT_S},
}


def entry_id(handed: Handed) -> str:
    """The BullMQ id of a hand-over: one entry for a pair. No colon: the Node package refuses it."""
    return f"{handed.job_id}.{handed.handover}"


def handed_of(entry: str) -> Handed | None:
    """The hand-over of a BullMQ id, or None for an entry that is not ours."""
    job_id, dot, handover = entry.partition(".")
    try:
        return Handed(UUID(job_id), int(handover)) if dot else None
    except ValueError:
        return None


def data_of(handed: Handed) -> dict[str, Any]:
    """What other readers of the queue (bull-board, the Node package) see."""
    return {"job_id": str(handed.job_id), "handover": handed.handover}


def options_of(handed: Handed) -> Any:
    """The options of one entry."""
    return OPTIONS | {"jobId": entry_id(handed)}


def worker_options(*, prefix: str, name: str, slots: int, lease_s: float) -> dict[str, Any]:
    """BullMQ's options of a worker. Never with a limiter (gap 2)."""
    return {
        "prefix": prefix,
        "name": name,
        "concurrency": slots,
        "lockDuration": round(lease_s * 1_000),
        "stalledInterval": round(lease_s * 1_000 / 3),
        "maxStalledCount": 1_000_000,  # gap 9: the ledger counts attempts, BullMQ shall never give up by itself
        "removeOnComplete": OPTIONS["removeOnComplete"],
        "removeOnFail": OPTIONS["removeOnFail"],
    }
