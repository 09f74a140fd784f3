"""Everything that can be asked of the API, in one table: the routes, OpenAPI and /docs are made from it."""

import msgspec

from haulier import errors, wire, wire_batches, wire_receipts
from haulier.api import batches, checking, dead_letters, delivering, downloads, jobs, receipts, retrying, submitting
from haulier.api.exchange import Answer, Exchange, json_answer
from haulier.api.health import status_of
from haulier.api.live.operations import LIVE_OPERATIONS
from haulier.api.notices.operations_channels import CHANNEL_OPERATIONS
from haulier.api.notices.operations_notices import NOTICE_OPERATIONS
from haulier.api.operation import (
    BODY_ERRORS,
    IDEMPOTENCY_KEY,
    LINK,
    Handler,
    Header,
    IdParameter,
    Operation,
    Reply,
    possible_errors,
)
from haulier.api.requests import LONGEST_WAIT_S, BatchQuery, JobsQuery, StatusQuery
from haulier.api.services import Services

__all__ = ["OPERATIONS", "Handler", "Header", "IdParameter", "Operation", "Reply", "possible_errors"]


async def health(_: Exchange, services: Services) -> Answer:
    """200 as long as the process answers."""
    return json_answer(await services.checks.alive())


async def ready(_: Exchange, services: Services) -> Answer:
    """503 when requests would fail."""
    answer = await services.checks.ready()
    return json_answer(answer, status=status_of(answer))


PREFER_START = Header(
    "Prefer",
    "respond-async asks for 202 and a Location. join: join a living job for the same under a new Idempotency-Key, too.",
)
PREFER_WAIT = Header("Prefer", f"wait=N is the same as the query parameter wait; at most {LONGEST_WAIT_S}.")
IF_NONE_MATCH = Header("If-None-Match", "The ETag of the answer you have: 304 when nothing changed.")
ETAG = Header("ETag", "Starts with the job's version.")
RETRY_AFTER = Header("Retry-After", "Seconds until another look is worthwhile; only while the job is not over.")
LOCATION = Header("Location", "The status of the job, or of the batch.")
RATE_LIMIT = Header("RateLimit", "What is left of each limit and when it renews; absent for a role without limits.")
RATE_LIMIT_POLICY = Header("RateLimit-Policy", "The limits: quota q in a window of w seconds.")
RANGE = Header("Range", "One range of bytes, for the rest of a file that you have begun.")
IF_RANGE = Header("If-Range", "The ETag of what you have: the whole file when it is another one.")
FILE_HEADERS = (
    Header("ETag", "Strong, and the same as long as the file lives."),
    Header("Repr-Digest", "SHA-256 of the whole file (RFC 9530), when it is known."),
)

_ACCEPTED = {
    200: Reply("The job, new or joined.", wire.JobStatus, (RATE_LIMIT_POLICY, RATE_LIMIT)),
    202: Reply("The same, for Prefer: respond-async.", wire.JobStatus, (LOCATION, RATE_LIMIT_POLICY, RATE_LIMIT)),
}
_ACCEPTED_OR_BATCH = {
    status: msgspec.structs.replace(reply, or_shape=wire_batches.BatchAccepted) for status, reply in _ACCEPTED.items()
}
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
        headers=(IDEMPOTENCY_KEY, PREFER_START),
        replies=_ACCEPTED_OR_BATCH,
        errors=(*BODY_ERRORS, *_LIMIT_ERRORS, errors.LedgerUnavailable),
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
        errors=(*BODY_ERRORS, errors.StorageUnavailable),
    ),
    Operation(
        name="retry",
        method="POST",
        path="/v1/download/retry/{job_id}",
        handler=submitting.retry,
        summary="A new job for a failed or cancelled one",
        headers=(IDEMPOTENCY_KEY, PREFER_START),
        replies=_ACCEPTED,
        errors=(
            errors.InvalidRequest,
            errors.JobNotFound,
            errors.JobNotRetryable,
            *_LIMIT_ERRORS,
            errors.LedgerUnavailable,
        ),
    ),
    *LIVE_OPERATIONS,
    *CHANNEL_OPERATIONS,
    *NOTICE_OPERATIONS,
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
        errors=(*BODY_ERRORS, errors.Forbidden, errors.LedgerUnavailable),
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
