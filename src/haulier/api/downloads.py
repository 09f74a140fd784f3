"""One job: its status, its result, its file, and cancelling it."""

from contextlib import ExitStack

from msgspec import UNSET
from starlette.types import ASGIApp

from haulier.api.access import available_artefact, own_job
from haulier.api.delivering import Way, way_of
from haulier.api.exchange import PRIVATE, Answer, Exchange, json_answer, json_bytes
from haulier.api.finding import find_job
from haulier.api.patience import until_first
from haulier.api.rendering import Rendered, url_life_s
from haulier.api.requests import StatusQuery, client_has, job_id_of, known_version, preferences_of, query_of
from haulier.api.sending import SendArtefact
from haulier.api.services import Services
from haulier.api.views import file_url
from haulier.clock import wire_time
from haulier.errors import JobFinished, TooManyStreams, Unavailable
from haulier.job import Handed, Job, Status
from haulier.wire import Cancelled, DownloadResult


async def status(exchange: Exchange, services: Services) -> Answer:
    """The job as it is now, or, with a wait, as soon as it is no longer as the client knows it."""
    job_id = job_id_of(exchange)
    query = query_of(exchange, StatusQuery)
    wait_s = query.wait
    preferred_s = preferences_of(exchange).wait_s
    seen = known_version(exchange)
    job = await find_job(job_id, caller=exchange.caller, services=services, version=seen or 0)
    may_wait = True
    if wait_s or preferred_s:
        changed = await _changed(job, exchange, services, seen=seen, wait_s=wait_s or preferred_s or 0)
        job, may_wait = changed or job, changed is not None
    rendered = await services.statuses.of(job, with_files=query.files)
    headers = PRIVATE + _status_headers(rendered)
    if preferred_s is not None and not wait_s and may_wait:
        headers += ((b"preference-applied", b"wait=%d" % preferred_s),)
    if client_has(exchange, rendered.etag):
        return Answer(status=304, headers=headers)
    return json_bytes(rendered.body, headers=headers)


async def _changed(job: Job, exchange: Exchange, services: Services, *, seen: int | None, wait_s: int) -> Job | None:
    """The job at another version than `seen` (None: than now), or as it is after `wait_s`. Ends early when the client
    leaves or the process stops. None at once when the user holds as many live connections as they may."""
    caller, version = exchange.caller, job.version if seen is None else seen
    if job.is_terminal or job.version != version:
        return job
    with ExitStack() as held:
        try:
            held.enter_context(services.feeds.open(user_id=caller.user_id, unlimited=caller.is_admin))
        except (TooManyStreams, Unavailable):
            return None
        changed = await until_first(
            services.snapshots.wait(job.id, version=version, timeout_s=wait_s),
            exchange.client_left(),
            services.closing.wait(),
        )
    return own_job(changed, caller) if isinstance(changed, Job) else job


def _status_headers(rendered: Rendered) -> tuple[tuple[bytes, bytes], ...]:
    etag = (b"etag", rendered.etag.encode())
    if rendered.retry_after_s is None:
        return (etag,)
    return (etag, (b"retry-after", b"%d" % rendered.retry_after_s))


async def result(exchange: Exchange, services: Services) -> Answer:
    """Where the file is, with a URL signed just now."""
    job = await _job(exchange, services)
    artefact = available_artefact(job, clock=services.clock)
    life_s = url_life_s(job, ttl_s=services.settings.url_ttl_s, now=services.clock.now())
    link = await services.storage.sign(artefact, job_id=str(job.id), expires_s=life_s)
    return json_answer(
        DownloadResult(
            job_id=str(job.id),
            download_url=link.url,
            expires_at=wire_time(link.expires_at),
            file_size=artefact.size,
            file_name=artefact.file_name,
            content_type=artefact.content_type,
            etag=artefact.etag,
            file_url=file_url(job, base_url=services.settings.base_url),
            available_until=wire_time(job.artefact_expires_at or link.expires_at),
            sha256=artefact.sha256 or UNSET,
        )
    )


async def file(exchange: Exchange, services: Services) -> Answer | ASGIApp:
    """A redirect to a URL signed just now, or the bytes themselves where no redirect will do."""
    job = await _job(exchange, services)
    artefact = available_artefact(job, clock=services.clock)
    way = await way_of(artefact, exchange, services)
    if way is Way.HERE:
        return SendArtefact(artefact, storage=services.storage)
    life_s = url_life_s(job, ttl_s=services.settings.file_url_ttl_s, now=services.clock.now())
    signer = services.own_links if way is Way.OWN_LINK and services.own_links else services.storage
    link = await signer.sign(artefact, job_id=str(job.id), expires_s=life_s)
    return Answer(status=307, headers=((b"location", link.url.encode()), *PRIVATE))


async def cancel(exchange: Exchange, services: Services) -> Answer:
    """Cancel the job unless it is over; whoever runs it is told at once."""
    job_id = job_id_of(exchange)
    owner = None if exchange.caller.is_admin else exchange.caller.user_id
    job = await services.ledger.attempts.cancel(job_id, user_id=owner)
    if job is not None:
        spread_cancel(job, services)
        return json_answer(Cancelled(str(job_id)))
    job = own_job(await services.snapshots.newest(job_id), exchange.caller)
    if job.status is not Status.CANCELLED:
        raise JobFinished(job_status=job.status.value)
    return json_answer(Cancelled(str(job_id)))


def spread_cancel(job: Job, services: Services) -> None:
    """After the commit: the worker that runs it, the engine, and whoever watches."""
    services.snapshots.announce(job)
    services.snapshots.announcements.cancelled(job.id)
    services.handovers.remove(Handed(job.id, job.handover))


async def _job(exchange: Exchange, services: Services) -> Job:
    return await find_job(job_id_of(exchange), caller=exchange.caller, services=services)
