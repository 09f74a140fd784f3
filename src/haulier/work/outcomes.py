"""How an attempt can end, and which end an error means. Pure."""

import msgspec

from haulier.errors import AttemptError, HaulierError, Unavailable
from haulier.job import Artefact, Failure, Job
from haulier.provenance import Provenance


class Done(msgspec.Struct, frozen=True):
    """The artefact is stored and verified."""

    artefact: Artefact
    provenance: Provenance | None = None


class Shared(msgspec.Struct, frozen=True):
    """The job was completed with an artefact that another one made."""


class Followed(msgspec.Struct, frozen=True):
    """Another attempt builds what the job wants: the job waits for its end, without a worker."""


class Failed(msgspec.Struct, frozen=True):
    """The job fails for good."""

    failure: Failure


class Retried(msgspec.Struct, frozen=True):
    """The job is tried again after a backoff."""

    failure: Failure


class HandedBack(msgspec.Struct, frozen=True):
    """The worker stops; another one takes over and the attempt does not count."""


class Lost(msgspec.Struct, frozen=True):
    """The job was cancelled or belongs to another attempt: there is nothing left to write."""


Outcome = Done | Shared | Followed | Failed | Retried | HandedBack | Lost


def outcome_of(error: Exception, *, job: Job) -> Failed | Retried:
    """Permanent errors fail at once, all others while no attempt remains. A defect's text never reaches the user."""
    known = error if isinstance(error, HaulierError) else AttemptError()
    failure = Failure(known.code, known.detail)
    transient = isinstance(known, Unavailable) or not known.permanent
    return Retried(failure) if transient and job.attempts_used < job.max_attempts else Failed(failure)
