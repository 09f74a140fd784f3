"""Everything that can be asked of the API, in one table: the routes, OpenAPI and /docs are made from it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.types import ASGIApp

from haulier import errors, wire, wire_batches, wire_live, wire_receipts
from haulier.api import (
    batches,
    checking,
    dead_letters,
    delivering,
    downloads,
    events,
    handshake,
    jobs,
    receipts,
    retrying,
    submitting,
)
from haulier.api.exchange import Answer, Exchange, json_answer
from haulier.api.health import status_of
from haulier.api.requests import LONGEST_WAIT_S, BatchQuery, JobsQuery, StatusQuery
from haulier.api.services import Services
from haulier.errors import HaulierError

# A handler answers whole, or with an application that sends what is too large to hold.
Handler = Callable[[Exchange, Services], Awaitable[Answer | ASGIApp]]


class Header(msgspec.Struct, frozen=True):
    """A header, of a request or an answer."""

    name: str
    description: str


class Reply(msgspec.Struct, frozen=True):
    """One way to answer; `shape` None means without a body, or with the bytes of a file.

    `or_shape` is what the request's mode makes of it.
    """

    description: str
    shape: type[msgspec.Struct] | None = None
    headers: tuple[Header, ...] = ()
    or_shape: type[msgspec.Struct] | None = None
    is_file: bool = False
    is_stream: bool = False

    @property
    def shapes(self) -> tuple[type[msgspec.Struct], ...]:
        """All bodies that the answer may have."""
        return tuple(shape for shape in (self.shape, self.or_shape) if shape is not None)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Paths name their parameters in braces: `{job_id}`, `{batch_id}`. Every secured call can answer 401."""

    name: str
    method: str
    path: str
    handler: Handler
    summary: str
    replies: Mapping[int, Reply]
    errors: tuple[type[HaulierError], ...] = ()
    body: type[msgspec.Struct] | None = None
    example: str = ""
    query: type[msgspec.Struct] | None = None
    headers: tuple[Header, ...] = ()
    secured: bool = True
    takes_basic: bool = False
    """Whether the token may be the password of HTTP Basic, for clients that keep such credentials to one host."""


async def health(_: Exchange, services: Services) -> Answer:
    """200 as long as the process answers."""
    return json_answer(await services.checks.alive())


async def ready(_: Exchange, services: Services) -> Answer:
    """503 when requests would fail."""
    answer = await services.checks.ready()
    return json_answer(answer, status=status_of(answer))


PREFER_ASYNC = Header("Prefer", "respond-async asks for 202 and a Location.")
PREFER_WAIT = Header("Prefer", f"wait=N is the same as the query parameter wait; at most {LONGEST_WAIT_S}.")
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key", "1 to 200 visible ASCII characters. The same key and body get the same job for a day."
)
IF_NONE_MATCH = Header("If-None-Match", "The ETag of the answer you have: 304 when nothing changed.")
ETAG = Header("ETag", "Starts with the job's version.")
RETRY_AFTER = Header("Retry-After", "Seconds until another look is worthwhile; only while the job is not over.")
LOCATION = Header("Location", "The status of the job, or of the batch.")
RATE_LIMIT = Header("RateLimit", "What is left of each limit and when it renews; absent for a role without limits.")
RATE_LIMIT_POLICY = Header("RateLimit-Policy", "The limits: quota q in a window of w seconds.")
LAST_EVENT_ID = Header("Last-Event-ID", "The id of the last event that you have: nothing older is sent.")
RANGE = Header("Range", "One range of bytes, for the rest of a file that you have begun.")
IF_RANGE = Header("If-Range", "The ETag of what you have: the whole file when it is another one.")
FILE_HEADERS = (
    Header("ETag", "Strong, and the same as long as the file lives."),
    Header("Repr-Digest", "SHA-256 of the whole file (RFC 9530), when it is known."),
)
LINK = Header("Link", 'The next page, rel="next".')

_ACCEPTED = {
    200: Reply("The job, new or joined.", wire.JobStatus, (RATE_LIMIT_POLICY, RATE_LIMIT)),
    202: Reply("The same, for Prefer: respond-async.", wire.JobStatus, (LOCATION, RATE_LIMIT_POLICY, RATE_LIMIT)),
}
_ACCEPTED_OR_BATCH = {
    status: msgspec.structs.replace(reply, or_shape=wire_batches.BatchAccepted) for status, reply in _ACCEPTED.items()
}
_BODY_ERRORS = (errors.InvalidRequest, errors.MalformedJson, errors.BodyTooLarge, errors.UnsupportedMediaType)
_LIMIT_ERRORS = (errors.IdempotencyMismatch, errors.RateLimited, errors.QuotaExceeded)
_FILE_ERRORS = (errors.JobNotFound, errors.JobNotReady, errors.ArtefactExpired)

# Order matters: the router looks from the top, so what is called most stands first.
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="status",
        method="GET",
        path="/v1/download/status/{job_id}",
        handler=downloads.status,
        summary="Status of a job",
        query=StatusQuery,
        headers=(IF_NONE_MATCH, PREFER_WAIT),
        replies={
            200: Reply("The job.", wire.JobStatus, (ETAG, RETRY_AFTER)),
            304: Reply("Nothing changed.", None, (ETAG, RETRY_AFTER)),
        },
        errors=(errors.InvalidRequest, errors.JobNotFound, errors.LedgerUnavailable),
    ),
    Operation(
        name="initiate",
        method="POST",
        path="/v1/download/initiate",
        handler=submitting.initiate,
        summary="Ask for a file, or for several: as one ZIP, or as one job each",
        body=wire.InitiateRequest,
        example='{"file_id": 70000}',
        headers=(IDEMPOTENCY_KEY, PREFER_ASYNC),
        replies=_ACCEPTED_OR_BATCH,
        errors=(*_BODY_ERRORS, *_LIMIT_ERRORS, errors.LedgerUnavailable),
    ),
    Operation(
        name="job_events",
        method="GET",
        path="/v1/download/events/{job_id}",
        handler=events.job_events,
        summary="A job as server-sent events: now, at each change, and its end",
        query=events.EventsQuery,
        headers=(LAST_EVENT_ID,),
        replies={
            200: Reply("Events `status` with the job as data and its version as id.", is_stream=True),
            204: Reply("The client has seen the job's end already."),
        },
        errors=(errors.InvalidRequest, errors.JobNotFound, errors.TooManyStreams, errors.LedgerUnavailable),
    ),
    Operation(
        name="events",
        method="GET",
        path="/v1/download/events",
        handler=events.events,
        summary="All your jobs as server-sent events: those alive, `ready`, then each change of any",
        headers=(LAST_EVENT_ID,),
        replies={200: Reply("Events `status` with a job as data; the id is where to go on from.", is_stream=True)},
        errors=(errors.TooManyStreams, errors.LedgerUnavailable),
    ),
    Operation(
        name="ticket",
        method="POST",
        path="/v1/tickets",
        handler=handshake.ticket,
        summary="A ticket that opens one WebSocket: for browsers, which cannot send a token there",
        replies={200: Reply("Good once, for 30 s: /ws?ticket=…", wire_live.Ticket)},
        errors=(errors.TooManyTickets, errors.EngineUnavailable),
    ),
    Operation(
        name="result",
        method="GET",
        path="/v1/download/result/{job_id}",
        handler=downloads.result,
        summary="Where the file of a completed job is",
        replies={200: Reply("A URL signed just now, and the file's facts.", wire.DownloadResult)},
        errors=(*_FILE_ERRORS, errors.LedgerUnavailable, errors.StorageUnavailable),
    ),
    Operation(
        name="file",
        method="GET",
        path="/v1/download/file/{job_id}",
        handler=downloads.file,
        summary="The file of a completed job: the handle that stays good",
        query=delivering.FileQuery,
        headers=(RANGE, IF_RANGE),
        replies={
            307: Reply("To a URL signed just now.", None, (Header("Location", "The signed URL."),)),
            200: Reply(
                "The file, by the API itself (via=api, or a client that needs it).", None, FILE_HEADERS, is_file=True
            ),
            206: Reply("The range of it.", None, FILE_HEADERS, is_file=True),
            304: Reply("The client has this file.", None, FILE_HEADERS[:1]),
            412: Reply("The file is another one than If-Match names."),
        },
        errors=(
            errors.InvalidRequest,
            *_FILE_ERRORS,
            errors.ArtefactReplaced,
            errors.RangeNotSatisfiable,
            errors.LedgerUnavailable,
            errors.StorageUnavailable,
        ),
        takes_basic=True,
    ),
    Operation(
        name="receipt",
        method="GET",
        path="/v1/download/receipt/{job_id}",
        handler=receipts.receipt,
        summary="A signed statement of what a completed job delivered and what it was made of",
        replies={200: Reply("The receipt; it outlives the file.", wire_receipts.SignedReceipt)},
        errors=(errors.JobNotFound, errors.JobNotReady, errors.ReceiptsOff, errors.LedgerUnavailable),
    ),
    Operation(
        name="receipt_keys",
        method="GET",
        path=receipts.KEYS_PATH,
        handler=receipts.receipt_keys,
        summary="The public keys of receipts, as a JWK Set",
        replies={200: Reply("The key that signs first, then those that did.", wire_receipts.ReceiptKeys)},
        errors=(errors.ReceiptsOff,),
        secured=False,
    ),
    Operation(
        name="cancel",
        method="DELETE",
        path="/v1/download/cancel/{job_id}",
        handler=downloads.cancel,
        summary="Cancel a job that is not over",
        replies={200: Reply("The job is cancelled, now or before.", wire.Cancelled)},
        errors=(errors.JobNotFound, errors.JobFinished, errors.LedgerUnavailable),
    ),
    Operation(
        name="jobs",
        method="GET",
        path="/v1/download/jobs",
        handler=jobs.jobs,
        summary="Your jobs, newest first",
        query=JobsQuery,
        replies={200: Reply("One page; its jobs carry no download_url.", wire.JobPage, (LINK,))},
        errors=(errors.InvalidRequest, errors.Forbidden, errors.BatchNotFound, errors.LedgerUnavailable),
    ),
    Operation(
        name="batch",
        method="GET",
        path="/v1/download/batch/{batch_id}",
        handler=batches.batch,
        summary="How the jobs of a batch stand",
        query=BatchQuery,
        replies={200: Reply("The batch.", wire_batches.BatchStatus, (RETRY_AFTER,))},
        errors=(errors.InvalidRequest, errors.BatchNotFound, errors.LedgerUnavailable),
    ),
    Operation(
        name="cancel_batch",
        method="DELETE",
        path="/v1/download/batch/{batch_id}",
        handler=batches.cancel_batch,
        summary="Cancel the jobs of a batch that are not over",
        replies={200: Reply("How many were cancelled.", wire_batches.BatchCancelled)},
        errors=(errors.BatchNotFound, errors.LedgerUnavailable),
    ),
    Operation(
        name="check",
        method="POST",
        path="/v1/download/check",
        handler=checking.check,
        summary="Whether a file could be had, without starting anything",
        body=wire.CheckRequest,
        example='{"file_id": 70000}',
        replies={200: Reply("What is known.", wire.CheckAnswer)},
        errors=(*_BODY_ERRORS, errors.StorageUnavailable),
    ),
    Operation(
        name="retry",
        method="POST",
        path="/v1/download/retry/{job_id}",
        handler=submitting.retry,
        summary="A new job for a failed or cancelled one",
        headers=(IDEMPOTENCY_KEY, PREFER_ASYNC),
        replies=_ACCEPTED,
        errors=(
            errors.InvalidRequest,
            errors.JobNotFound,
            errors.JobNotRetryable,
            *_LIMIT_ERRORS,
            errors.LedgerUnavailable,
        ),
    ),
    Operation(
        name="dead_letters",
        method="GET",
        path=dead_letters.PATH,
        handler=dead_letters.dead_letters,
        summary="Failed jobs of all users, the latest failure first; for admins",
        query=dead_letters.DeadLettersQuery,
        replies={200: Reply("One page.", wire.DeadLetterPage, (LINK,))},
        errors=(errors.InvalidRequest, errors.Forbidden, errors.LedgerUnavailable),
    ),
    Operation(
        name="retry_dead_letters",
        method="POST",
        path=f"{dead_letters.PATH}/retry",
        handler=retrying.retry_dead_letters,
        summary="A new job for each of these failed jobs; for admins",
        body=wire.RetryDeadLetters,
        example='{"code": "source_unavailable", "since": "2026-11-23T10:00:00Z", "dry_run": true}',
        replies={200: Reply("What became of each.", wire.DeadLettersRetried)},
        errors=(*_BODY_ERRORS, errors.Forbidden, errors.LedgerUnavailable),
    ),
    Operation(
        name="dead_letter",
        method="GET",
        path=f"{dead_letters.PATH}/{{job_id}}",
        handler=dead_letters.dead_letter,
        summary="A failed job with all its attempts; for admins",
        replies={200: Reply("The job.", wire.DeadLetterDetail)},
        errors=(errors.JobNotFound, errors.Forbidden, errors.LedgerUnavailable),
    ),
    Operation(
        name="health",
        method="GET",
        path="/health",
        handler=health,
        summary="The process is alive",
        replies={200: Reply("Status degraded when a dependency does not answer.", wire.Health)},
        secured=False,
    ),
    Operation(
        name="ready",
        method="GET",
        path="/health/ready",
        handler=ready,
        summary="Requests can be served",
        replies={
            200: Reply("Ready; status degraded without the engine: requests are accepted, work waits.", wire.Health),
            503: Reply("Status unready without ledger or storage.", wire.Health),
        },
        secured=False,
    ),
)

IdParameter = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]


def possible_errors(operation: Operation) -> tuple[type[HaulierError], ...]:
    """The errors of a call, with those that its kind always can have, in the order of their status."""
    found = set(operation.errors)
    if operation.secured:
        found |= {errors.Unauthenticated, errors.HeadersTooLarge, errors.Unavailable}
    return tuple(sorted(found, key=lambda error: (error.status, error.code)))
