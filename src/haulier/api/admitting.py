"""The way of every request into the ledger, and the word spread about the job that came of it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from haulier.api.services import Services
from haulier.errors import AttemptError
from haulier.failpoints import Point, reached
from haulier.job import Handed, Job, Request
from haulier.ledger import Admission, BatchAdmission, BatchFile, BatchSubmission, Submission
from haulier.limits import Role, RoleLimits

UNKNOWN_PREPARER = "unknown"


async def admit(
    services: Services,
    request: Request,
    *,
    user_id: str,
    role: Role,
    limits: RoleLimits,
    key: str | None = None,
    joins: bool = False,
    retry_of: UUID | None = None,
    notify: tuple[UUID, ...] | None = None,
) -> Admission:
    """Create the user's job, join an existing one, or say why not; a new job is handed over and announced."""
    admission = await services.ledger.submissions.submit(
        Submission(
            id=services.new_id(),
            user_id=user_id,
            role=role,
            request=request,
            preparer=_preparer(services, request),
            max_attempts=services.settings.max_attempts,
            limits=limits,
            keep_for=timedelta(seconds=services.settings.keep_s(role)),
            key=key,
            joins=joins,
            retry_of=retry_of,
            notify=notify,
        )
    )
    if admission.outcome == "created" and admission.job is not None:
        await reached(Point.SUBMITTED)
        _spread_the_word(admission.job, services)
    return admission


async def admit_batch(
    services: Services,
    requests: Sequence[Request],
    *,
    user_id: str,
    role: Role,
    limits: RoleLimits,
    key: str | None = None,
    notify: tuple[UUID, ...] | None = None,
) -> BatchAdmission:
    """The same for one job a request: all of them or none."""
    files = [BatchFile(services.new_id(), request, _preparer(services, request)) for request in requests]
    admission = await services.ledger.batches.submit(
        BatchSubmission(
            id=services.new_id(),
            user_id=user_id,
            role=role,
            files=files,
            max_attempts=services.settings.max_attempts,
            limits=limits,
            keep_for=timedelta(seconds=services.settings.keep_s(role)),
            key=key,
            notify=notify,
        )
    )
    if admission.outcome == "created":
        await reached(Point.SUBMITTED)
        for job, joined in zip(admission.jobs, admission.joined, strict=True):
            if not joined:
                _spread_the_word(job, services)
    return admission


def _preparer(services: Services, request: Request) -> str:
    """The preparer's name. A catalogue that fails is no reason to refuse: the attempt fails with its sentence."""
    try:
        return services.catalogue.recipe(request).preparer
    except AttemptError:
        return UNKNOWN_PREPARER


def _spread_the_word(job: Job, services: Services) -> None:
    """After the commit: the engine, or the dispatcher, and whoever watches. None of it is waited for."""
    services.snapshots.announce(job)
    if job.handed:
        services.handovers.hand_over(Handed(job.id, job.handover))
    else:
        services.handovers.nudge()
