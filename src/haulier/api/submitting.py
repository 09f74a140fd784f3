"""Asking for downloads: initiate and retry."""

from uuid import UUID

from haulier.api.access import own_job
from haulier.api.admitting import admit, admit_batch
from haulier.api.bodies import body_of
from haulier.api.choosing import with_choice
from haulier.api.exchange import PRIVATE, Answer, Exchange, json_answer, json_bytes
from haulier.api.notices.channels import named_channels
from haulier.api.ratelimits import DAY_S, MINUTE_S, rate_limit_headers, seconds_until
from haulier.api.requests import idempotency_key_of, job_id_of, preferences_of
from haulier.api.services import Services
from haulier.api.views import batch_accepted
from haulier.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    JobNotRetryable,
    QuotaExceeded,
    RateLimited,
)
from haulier.job import Job, Request, Status
from haulier.ledger import Admission, Allowance, BatchAdmission
from haulier.limits import RoleLimits
from haulier.wire import InitiateRequest

ASYNC_APPLIED = (b"preference-applied", b"respond-async")
JOIN_APPLIED = (b"preference-applied", b"join")


async def initiate(exchange: Exchange, services: Services) -> Answer:
    """Admit a request, or join the caller's job that does the same."""
    key = idempotency_key_of(exchange)
    body = await body_of(exchange, InitiateRequest)
    request = with_choice(_request(body), services)
    notify = await named_channels(body.notify, exchange, services) if isinstance(body.notify, tuple) else None
    if body.mode == "jobs":
        return await _submit_batch(exchange, services, request, key=key, notify=notify)
    return await _submit(exchange, services, request, key=key, notify=notify)


async def retry(exchange: Exchange, services: Services) -> Answer:
    """Ask again for what a failed or cancelled job was about."""
    job_id = job_id_of(exchange)
    key = idempotency_key_of(exchange)
    job = own_job(await services.snapshots.newest(job_id), exchange.caller)
    if job.status not in (Status.FAILED, Status.CANCELLED):
        raise JobNotRetryable(job_status=job.status.value)
    return await _submit(exchange, services, job.request, key=key, retry_of=job.id)


def _request(body: InitiateRequest) -> Request:
    file_id = body.file_id if isinstance(body.file_id, int) else None
    file_ids = body.file_ids if isinstance(body.file_ids, tuple) else ()
    if (file_id is None) == (not file_ids):
        raise InvalidRequest(("", "Send exactly one of file_id and file_ids"))
    if len(set(file_ids)) < len(file_ids):
        raise InvalidRequest(("/file_ids", "Name each file once"))
    if body.params and file_id is None:
        raise InvalidRequest(("/params", "Params belong to one file: send them with file_id"))
    if body.mode == "jobs" and not file_ids:
        raise InvalidRequest(("/mode", "One job a file is for several: send them in file_ids"))
    if body.mode == "jobs" and body.allow_missing:
        raise InvalidRequest(("/allow_missing", "is for an archive; with one job a file each fails by itself"))
    return Request(file_id=file_id, file_ids=file_ids, params=body.params, allow_missing=body.allow_missing)


async def _submit(
    exchange: Exchange,
    services: Services,
    request: Request,
    *,
    key: str | None,
    retry_of: UUID | None = None,
    notify: tuple[UUID, ...] | None = None,
) -> Answer:
    caller = exchange.caller
    limits = services.settings.limits(caller.role)
    wishes = preferences_of(exchange)
    joins = key is not None and wishes.join
    admission = await admit(
        services,
        request,
        user_id=caller.user_id,
        role=caller.role,
        limits=limits,
        key=key,
        joins=joins,
        retry_of=retry_of,
        notify=notify,
    )
    exchange.extra_headers += rate_limit_headers(admission, limits, now=services.clock.now())
    _raise_unless_admitted(admission, limits, services, needed=1)
    assert admission.job is not None
    if joins:
        exchange.extra_headers.append(JOIN_APPLIED)
    return await _answer(admission.job, services, respond_async=wishes.respond_async)


async def _submit_batch(
    exchange: Exchange, services: Services, request: Request, *, key: str | None, notify: tuple[UUID, ...] | None
) -> Answer:
    """One job for each file: 202 and the batch's Location when the client prefers."""
    caller = exchange.caller
    limits = services.settings.limits(caller.role)
    requests = [Request(file_id=file_id) for file_id in request.file_ids]
    admission = await admit_batch(
        services, requests, user_id=caller.user_id, role=caller.role, limits=limits, key=key, notify=notify
    )
    exchange.extra_headers += rate_limit_headers(admission, limits, now=services.clock.now())
    _raise_unless_admitted(admission, limits, services, needed=admission.needed)
    answer = batch_accepted(admission)
    if not preferences_of(exchange).respond_async:
        return json_answer(answer)
    headers = (_location(f"/v1/download/batch/{answer.batch_id}"), ASYNC_APPLIED)
    return json_answer(answer, status=202, headers=(*PRIVATE, *headers))


def _raise_unless_admitted(
    admission: Admission | BatchAdmission, limits: RoleLimits, services: Services, *, needed: int
) -> None:
    """The error that says why nothing was admitted."""
    if admission.outcome == "mismatch":
        raise IdempotencyMismatch
    if admission.outcome == "rate_limited":
        wait_s = _wait_s(admission.rate, services, most=MINUTE_S)
        raise RateLimited(limit=limits.rate_per_minute, wait_s=wait_s, retry_after_s=wait_s)
    if admission.outcome == "quota_exceeded":
        wait_s = _wait_s(admission.quota, services, most=DAY_S)
        limit = limits.quota_per_day or 0
        left = max(limit - (admission.quota.used if admission.quota else 0), 0)
        raise QuotaExceeded(limit=limit, left=left, needed=needed, wait_s=wait_s, retry_after_s=wait_s)


def _wait_s(allowance: Allowance | None, services: Services, *, most: int) -> int:
    return most if allowance is None else seconds_until(allowance.resets_at, now=services.clock.now(), most=most)


async def _answer(job: Job, services: Services, *, respond_async: bool) -> Answer:
    rendered = await services.statuses.first(job)
    if not respond_async:
        return json_bytes(rendered.body)
    headers = (_location(f"/v1/download/status/{job.id}"), ASYNC_APPLIED)
    return json_bytes(rendered.body, status=202, headers=(*PRIVATE, *headers))


def _location(path: str) -> tuple[bytes, bytes]:
    return b"location", path.encode()
