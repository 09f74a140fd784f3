"""Retrying dead letters, for admins: many at once, each through the same admission as any request."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec
import structlog
from msgspec import UNSET

from haulier.api.access import admin_only
from haulier.api.admitting import admit
from haulier.api.bodies import body_of
from haulier.api.dead_letters import failed_at, moment
from haulier.api.exchange import Answer, Exchange, json_answer
from haulier.api.services import Services
from haulier.errors import HaulierError, InvalidRequest, JobNotFound, Unavailable
from haulier.job import Status
from haulier.ledger import DeadLetter, LetterFilter
from haulier.limits import Role
from haulier.observe.events import DEAD_LETTERS_RETRIED
from haulier.wire import DeadLettersRetried, JobError, LetterRetry, RetryDeadLetters

log = structlog.get_logger()

BATCH = 200

Asked = tuple[UUID, DeadLetter | None]


async def retry_dead_letters(exchange: Exchange, services: Services) -> Answer:
    """A new job for each letter, for its own user, without that user's rate and quota: the operator decides."""
    admin_only(exchange.caller)
    body = await body_of(exchange, RetryDeadLetters)
    done = await _retry(_asked_for(body, services), services, most=body.limit, dry_run=body.dry_run)
    if not body.dry_run:
        log.info(DEAD_LETTERS_RETRIED, by=exchange.caller.user_id, matched=done.matched, retried=done.retried)
    return json_answer(done)


def _asked_for(body: RetryDeadLetters, services: Services) -> AsyncIterator[Asked]:
    """The letters of the request, read in batches. Raises InvalidRequest unless it says in exactly one way which."""
    wanted = LetterFilter(
        user_id=body.user or None,
        code=body.code or None,
        preparer=body.preparer or None,
        since=moment(body.since or None, "/since"),
        until=moment(body.until or None, "/until"),
    )
    ways = [body.job_ids is not UNSET, wanted != LetterFilter(), body.all]
    if sum(ways) != 1:
        raise InvalidRequest(("", "Say in exactly one way what to retry: job_ids, filters, or all"))
    if isinstance(body.job_ids, tuple):
        return _named(list(dict.fromkeys(body.job_ids)), services)
    return _matching(msgspec.structs.replace(wanted, retried=False), services)


async def _named(job_ids: Sequence[UUID], services: Services) -> AsyncIterator[Asked]:
    """These jobs, each with the last failure in the chain of its retries; None for those that did not fail."""
    for start in range(0, len(job_ids), BATCH):
        batch = job_ids[start : start + BATCH]
        found = await services.ledger.dead_letters.latest(batch)
        for job_id in batch:
            yield job_id, found.get(job_id)


async def _matching(wanted: LetterFilter, services: Services) -> AsyncIterator[Asked]:
    before = None
    while True:
        found = await services.ledger.dead_letters.page(wanted, limit=BATCH, before=before)
        for letter in found:
            yield letter.job.id, letter
        if len(found) < BATCH:
            return
        before = failed_at(found[-1]), found[-1].job.id


async def _retry(asked: AsyncIterator[Asked], services: Services, *, most: int, dry_run: bool) -> DeadLettersRetried:
    """Retry up to `most` letters. What is done when a dependency goes away, or we have to stop, is told with `more`."""
    jobs: list[LetterRetry] = []
    more = False
    try:
        async for job_id, letter in asked:
            if len(jobs) == most:
                more = True
                break
            if services.closing.is_set():
                raise Unavailable
            jobs.append(await _retry_one(job_id, letter, services, dry_run=dry_run))
    except Unavailable:
        if not jobs:
            raise
        more = True
    return DeadLettersRetried(
        matched=sum(job.outcome != "refused" for job in jobs),
        retried=sum(job.outcome == "created" for job in jobs),
        more=more,
        jobs=tuple(jobs),
    )


async def _retry_one(asked: UUID, letter: DeadLetter | None, services: Services, *, dry_run: bool) -> LetterRetry:
    if letter is None:
        return _refused(asked, JobNotFound())
    if letter.retried_as and letter.retry_status not in (Status.FAILED, Status.CANCELLED):
        return LetterRetry(str(asked), "joined", str(letter.retried_as))
    if dry_run:
        return LetterRetry(str(asked), "would_retry")
    role = Role(letter.role_today)
    limits = msgspec.structs.replace(services.settings.limits(role), rate_per_minute=None, quota_per_day=None)
    admission = await admit(
        services, letter.job.request, user_id=letter.job.user_id, role=role, limits=limits, retry_of=letter.job.id
    )
    assert admission.job is not None
    outcome = "created" if admission.outcome == "created" else "joined"
    return LetterRetry(str(asked), outcome, str(admission.job.id))


def _refused(asked: UUID, error: HaulierError) -> LetterRetry:
    return LetterRetry(str(asked), "refused", error=JobError(error.code, error.detail))
