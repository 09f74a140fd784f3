"""The JSON shapes of batches, one job a file; see wire.py."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from haulier.wire import JobError, JobId, StatusName, Time


class BatchJob(msgspec.Struct, frozen=True):
    """The job of one file of a batch; `joined`: it was there already."""

    file_id: int
    job_id: JobId
    status: StatusName
    joined: bool


class BatchAccepted(msgspec.Struct, frozen=True):
    """A batch: one job a file, in the order of the request."""

    batch_id: JobId
    mode: Literal["jobs"]
    total: int
    joined: int
    jobs: tuple[BatchJob, ...]


class BatchCounts(msgspec.Struct, frozen=True):
    """How many jobs of a batch are in which status; `forgotten` ones are past their retention."""

    queued: int = 0
    processing: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    forgotten: int = 0


class BatchFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a batch, as its job stands. The file's facts are there while it can be downloaded."""

    file_id: int
    job_id: JobId
    status: StatusName
    file_url: str | UnsetType = UNSET
    file_name: str | UnsetType = UNSET
    file_size: int | UnsetType = UNSET
    expires_at: Time | UnsetType = UNSET
    error: JobError | UnsetType = UNSET


class BatchStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A batch. `over`: none of its jobs waits or runs any more."""

    batch_id: JobId
    created_at: Time
    total: int
    over: bool
    counts: BatchCounts
    files: tuple[BatchFile, ...] | UnsetType = UNSET


class BatchCancelled(msgspec.Struct, frozen=True):
    """`cancelled` jobs were stopped just now; `left` are over already, or were there before the batch."""

    batch_id: JobId
    cancelled: int
    left: int
