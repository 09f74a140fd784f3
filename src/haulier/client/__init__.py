"""The Python client: `async with Client(url, token=…) as client: await client.download(70_000, to="report.zip")`.

`SyncClient` has the same calls for programs without an event loop. All errors are ClientErrors.
"""

from haulier.client.blocking import SyncClient
from haulier.client.client import Client
from haulier.client.download import Downloaded
from haulier.client.errors import (
    ApiError,
    BadToken,
    ClientError,
    DownloadDamaged,
    DownloadFailed,
    JobCancelled,
    JobFailed,
    TargetExists,
    TargetInUse,
    UnexpectedAnswer,
    Unreachable,
)
from haulier.client.getting import Progressed
from haulier.client.patience import Patience

__all__ = [
    "ApiError",
    "BadToken",
    "Client",
    "ClientError",
    "DownloadDamaged",
    "DownloadFailed",
    "Downloaded",
    "JobCancelled",
    "JobFailed",
    "Patience",
    "Progressed",
    "SyncClient",
    "TargetExists",
    "TargetInUse",
    "UnexpectedAnswer",
    "Unreachable",
]
