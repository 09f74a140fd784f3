"""The ledger: PostgreSQL, the only truth about jobs, attempts and limits."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from haulier.ledger.attempts import Attempts, Beat, failure_of
from haulier.ledger.backlog import Backlog
from haulier.ledger.batches import Batch, BatchAdmission, Batches, BatchFile, BatchSubmission
from haulier.ledger.builds import Builds, Joined, KeptPart, KeptUpload
from haulier.ledger.changes import Changes
from haulier.ledger.channels import MOST_CHANNELS, SENDING_RATE, Added, Channel, ChannelDraft, Channels
from haulier.ledger.codes import CODE_LIFE
from haulier.ledger.confirming import Confirming
from haulier.ledger.database import Database, open_database
from haulier.ledger.dead_letters import AttemptRecord, DeadLetter, DeadLetters, LetterFilter
from haulier.ledger.deliveries import (
    Claimed,
    Deliveries,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Finished,
    Outcome,
)
from haulier.ledger.fleet import Leadership, Workers, leadership
from haulier.ledger.migrations import migrate, pending
from haulier.ledger.provenance import Provenances
from haulier.ledger.reading import PLACES_COUNTED, Duration, Fleet, Jobs, Line, Place
from haulier.ledger.retention import Expired, Forgotten, Retention
from haulier.ledger.submissions import Admission, Allowance, Submission, Submissions
from haulier.settings import Secret

__all__ = [
    "CODE_LIFE",
    "MOST_CHANNELS",
    "PLACES_COUNTED",
    "SENDING_RATE",
    "Added",
    "Admission",
    "Allowance",
    "AttemptRecord",
    "Attempts",
    "Backlog",
    "Batch",
    "BatchAdmission",
    "BatchFile",
    "BatchSubmission",
    "Batches",
    "Beat",
    "Builds",
    "Changes",
    "Channel",
    "ChannelDraft",
    "Channels",
    "Claimed",
    "Confirming",
    "DeadLetter",
    "DeadLetters",
    "Deliveries",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "Duration",
    "Expired",
    "Finished",
    "Fleet",
    "Forgotten",
    "Jobs",
    "Joined",
    "KeptPart",
    "KeptUpload",
    "Leadership",
    "Ledger",
    "LetterFilter",
    "Line",
    "Outcome",
    "Place",
    "Provenances",
    "Retention",
    "Submission",
    "Submissions",
    "Workers",
    "failure_of",
    "leadership",
    "migrate",
    "open_ledger",
    "pending",
]


class Ledger:
    """The ledger's parts, over one pool. Every call raises LedgerUnavailable when PostgreSQL does not answer."""

    def __init__(self, database: Database) -> None:
        self.submissions = Submissions(database)
        self.attempts = Attempts(database)
        self.jobs = Jobs(database)
        self.changes = Changes(database)
        self.backlog = Backlog(database)
        self.builds = Builds(database)
        self.batches = Batches(database)
        self.retention = Retention(database)
        self.workers = Workers(database)
        self.channels = Channels(database)
        self.confirming = Confirming(database)
        self.deliveries = Deliveries(database)
        self.dead_letters = DeadLetters(database)
        self.provenance = Provenances(database)

    async def ping(self) -> None:
        """Return when PostgreSQL answers and has our tables."""
        await self.jobs.fleet()


@asynccontextmanager
async def open_ledger(url: Secret, *, connections: int = 10, answer_s: float | None = None) -> AsyncGenerator[Ledger]:
    """The ledger behind `url`. Connects when first used, so it opens although PostgreSQL is away.

    With `answer_s` every call ends within that time: for those who have somebody waiting.
    """
    async with open_database(url, connections=connections, answer_s=answer_s) as database:
        yield Ledger(database)
