"""The Python client: `async with Client(url, token=…) as client: job = await client.initiate(70_000)`."""

from haulier.client.blocking import SyncClient
from haulier.client.client import Client
from haulier.client.download import Downloaded
from haulier.client.errors import (
    ApiError,
    ClientError,
    DownloadDamaged,
    DownloadFailed,
    TargetExists,
    TargetInUse,
    UnexpectedAnswer,
    Unreachable,
)
from haulier.client.patience import Patience

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "DownloadDamaged",
    "DownloadFailed",
    "Downloaded",
    "Patience",
    "TargetExists",
    "TargetInUse",
    "UnexpectedAnswer",
    "Unreachable",
]
