"""Dead letters, for admins: the list of failed jobs, and one of them with its attempts."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta

from haulier.api.access import admin_only
from haulier.api.exchange import PRIVATE, Answer, Exchange, json_answer
from haulier.api.paging import cursor, foreign_cursor, next_link, raw_of
from haulier.api.requests import job_id_of, query_of
from haulier.api.services import Services
from haulier.clock import instant, wire_time
from haulier.errors import InvalidRequest, JobNotFound
from haulier.job import Failure
from haulier.ledger import AttemptRecord, DeadLetter, LetterFilter
from haulier.wire import AttemptReport, DeadLetterDetail, DeadLetterPage, JobError, Time, Word
from haulier.wire import DeadLetter as LetterView

PATH = "/v1/admin/dead-letters"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = struct.Struct(">q16s")  # when it failed, in microseconds since 1970, and its id


class DeadLettersQuery(msgspec.Struct, frozen=True):
    user: Annotated[Word | None, Meta(description="Whose jobs.")] = None
    code: Annotated[Word | None, Meta(description="Only jobs that failed with this error.code.")] = None
    preparer: Annotated[Word | None, Meta(description="Only jobs of this preparer.")] = None
    since: Annotated[Time | None, Meta(description="Failed at this time (RFC 3339) or later.")] = None
    until: Annotated[Time | None, Meta(description="Failed before this time (RFC 3339).")] = None
    retried: Annotated[bool | None, Meta(description="Only jobs that were retried, or that were not.")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Most jobs on a page.")] = 20
    cursor: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="next_cursor of the page before.")
    ] = None


async def dead_letters(exchange: Exchange, services: Services) -> Answer:
    """One page of everyone's failed jobs. It has no total: counting would read all of them."""
    admin_only(exchange.caller)
    query = query_of(exchange, DeadLettersQuery)
    wanted = LetterFilter(
        user_id=query.user,
        code=query.code,
        preparer=query.preparer,
        since=moment(query.since, "since"),
        until=moment(query.until, "until"),
        retried=query.retried,
    )
    before = None if query.cursor is None else _position(query.cursor)
    found = await services.ledger.dead_letters.page(wanted, limit=query.limit + 1, before=before)
    shown, has_more = found[: query.limit], len(found) > query.limit
    page = DeadLetterPage(
        dead_letters=tuple(map(_view, shown)),
        limit=query.limit,
        next_cursor=_cursor(shown[-1]) if has_more else None,
    )
    if page.next_cursor is None:
        return json_answer(page)
    parameters = msgspec.structs.asdict(query) | {"cursor": page.next_cursor}
    return json_answer(page, headers=(*PRIVATE, next_link(f"{services.settings.base_url}{PATH}", parameters)))


async def dead_letter(exchange: Exchange, services: Services) -> Answer:
    """One failed job with its attempts; for any other job it is as if there were none."""
    admin_only(exchange.caller)
    job_id = job_id_of(exchange)
    letter = await services.ledger.dead_letters.get(job_id)
    if letter is None:
        raise JobNotFound
    attempts = await services.ledger.dead_letters.attempts(job_id)
    facts = msgspec.structs.asdict(_view(letter))
    return json_answer(DeadLetterDetail(**facts, attempts=tuple(map(_report, attempts))))


def moment(text: str | None, name: str) -> datetime | None:
    """The time of a filter. Raises InvalidRequest, pointing to `name`."""
    try:
        return None if text is None else instant(text)
    except ValueError as error:
        raise InvalidRequest((name, str(error))) from None


def failed_at(letter: DeadLetter) -> datetime:
    """When the job failed."""
    assert letter.job.completed_at is not None
    return letter.job.completed_at


def _cursor(letter: DeadLetter) -> str:
    microseconds = (failed_at(letter) - _EPOCH) // timedelta(microseconds=1)
    return cursor(_CURSOR.pack(microseconds, letter.job.id.bytes))


def _position(text: str) -> tuple[datetime, UUID]:
    microseconds, job_id = _CURSOR.unpack(raw_of(text, size=_CURSOR.size))
    try:
        return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=job_id)
    except OverflowError:
        raise foreign_cursor() from None


def _view(letter: DeadLetter) -> LetterView:
    job = letter.job
    return LetterView(
        job_id=str(job.id),
        user=job.user_id,
        role=job.role,
        file_id=job.request.file_id,
        file_ids=job.request.file_ids or UNSET,
        preparer=job.preparer,
        error=_error(job.error),
        attempts_used=job.attempts_used,
        max_attempts=job.max_attempts,
        created_at=wire_time(job.created_at),
        started_at=wire_time(job.started_at) if job.started_at else UNSET,
        failed_at=wire_time(failed_at(letter)),
        retry_of=str(job.retry_of) if job.retry_of else UNSET,
        retried_as=str(letter.retried_as) if letter.retried_as else UNSET,
        retry_status=letter.retry_status.value if letter.retry_status else UNSET,
    )


def _report(attempt: AttemptRecord) -> AttemptReport:
    ended_at = attempt.ended_at
    return AttemptReport(
        number=attempt.number,
        worker=attempt.worker,
        started_at=wire_time(attempt.started_at),
        ended_at=wire_time(ended_at) if ended_at else UNSET,
        duration_s=round((ended_at - attempt.started_at).total_seconds(), 3) if ended_at else UNSET,
        outcome=attempt.outcome or UNSET,
        error=_error(attempt.error) if attempt.error else UNSET,
    )


def _error(failure: Failure | None) -> JobError:
    assert failure is not None
    return JobError(failure.code, failure.message)
