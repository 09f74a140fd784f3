"""A user's jobs, newest first."""

from uuid import UUID

from haulier.api.access import admin_only, own_batch
from haulier.api.estimating import UNKNOWN
from haulier.api.exchange import PRIVATE, Answer, Exchange, json_answer
from haulier.api.paging import cursor, next_link, raw_of
from haulier.api.requests import JobsQuery, query_of
from haulier.api.services import Services
from haulier.api.views import status_view
from haulier.errors import InvalidRequest
from haulier.job import Job, Status
from haulier.wire import JobPage


async def jobs(exchange: Exchange, services: Services) -> Answer:
    """One page of the caller's jobs. Without signed URLs: a list is no reason to mint a hundred of them."""
    query = query_of(exchange, JobsQuery)
    before = _before(query)
    user_id = query.user or exchange.caller.user_id
    if user_id != exchange.caller.user_id:
        admin_only(exchange.caller)
    status = Status(query.status) if query.status else None
    skip = 0 if before else (query.page - 1) * query.limit
    if query.batch is None:
        reader = services.ledger.jobs
        found = await reader.of_user(user_id, status=status, limit=query.limit + 1, skip=skip, before=before)
        total = await reader.count_of_user(user_id, status=status)
    else:
        batches = services.ledger.batches
        own_batch(await batches.get(query.batch), exchange.caller)
        found = await batches.page(query.batch, status=status, limit=query.limit + 1, skip=skip, before=before)
        total = await batches.count(query.batch, status=status)
    return _page(found, query, services, total=total)


def cursor_of(job: Job) -> str:
    """An opaque cursor that continues behind `job`."""
    return cursor(job.id.bytes)


def _before(query: JobsQuery) -> UUID | None:
    if query.cursor is None:
        return None
    if query.page != 1:
        raise InvalidRequest(("cursor", "Send page or cursor, not both"))
    return UUID(bytes=raw_of(query.cursor, size=16))


def _page(found: list[Job], query: JobsQuery, services: Services, *, total: int) -> Answer:
    shown, has_more = found[: query.limit], len(found) > query.limit
    base_url, now = services.settings.base_url, services.clock.now()
    page = JobPage(
        jobs=tuple(status_view(job, outlook=UNKNOWN, base_url=base_url, now=now) for job in shown),
        total=total,
        page=query.page,
        limit=query.limit,
        next_cursor=cursor_of(shown[-1]) if has_more else None,
    )
    if page.next_cursor is None:
        return json_answer(page)
    parameters: dict[str, str | int | None] = {
        "limit": query.limit,
        "cursor": page.next_cursor,
        "status": query.status,
        "user": query.user,
        "batch": query.batch and str(query.batch),
    }
    return json_answer(page, headers=(*PRIVATE, next_link(f"{base_url}/v1/download/jobs", parameters)))
