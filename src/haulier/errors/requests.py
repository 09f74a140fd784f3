"""Errors of requests, and of what answers them."""

from haulier.errors.base import HaulierError


class InvalidRequest(HaulierError):
    """`problems` lists (pointer, message) pairs: where in the request, and what to do."""

    code, status, title = "invalid_request", 400, "Invalid request"
    sentence = "The request is not valid: {summary}"

    def __init__(self, *problems: tuple[str, str]) -> None:
        self.problems = problems
        super().__init__(summary="; ".join(f"{pointer or 'body'}: {message}" for pointer, message in problems))


class MalformedJson(HaulierError):
    code, status, title = "malformed_json", 400, "Malformed JSON"
    sentence = "The body is not valid JSON: {reason}. Send one JSON object in UTF-8."


class Unauthenticated(HaulierError):
    code, status, title = "unauthenticated", 401, "Authentication required"
    sentence = "A valid bearer token is needed: {reason}."


class Forbidden(HaulierError):
    code, status, title = "forbidden", 403, "Forbidden"
    sentence = "Only the role admin may do this; haulier token --role admin makes a token for it."


class BadSignature(HaulierError):
    code, status, title = "bad_signature", 403, "Link not valid"
    sentence = "This link is not valid or has expired. Ask for a fresh one with GET /v1/download/file/{{job_id}}."


class NotFound(HaulierError):
    code, status, title = "not_found", 404, "Not found"
    sentence = "There is nothing at this path. See /docs for what there is."


class JobNotFound(HaulierError):
    code, status, title = "job_not_found", 404, "Job not found"
    sentence = "There is no such job, or it is not yours."


class ReceiptsOff(HaulierError):
    code, status, title = "receipts_off", 404, "No receipts"
    sentence = "This installation signs no receipts; its operator switches them on with HAULIER_RECEIPT_KEY."


class WebNotBuilt(HaulierError):
    code, status, title = "web_not_built", 404, "Not built"
    sentence = (
        "This installation came without the parts for browsers; its operator builds them with `make web` (Node 20)."
    )


class BatchNotFound(HaulierError):
    code, status, title = "batch_not_found", 404, "Batch not found"
    sentence = "There is no such batch, or it is not yours."


class MethodNotAllowed(HaulierError):
    code, status, title = "method_not_allowed", 405, "Method not allowed"
    sentence = "This path allows {allowed}."


class JobNotReady(HaulierError):
    code, status, title = "job_not_ready", 409, "Not ready"
    sentence = "The job is {job_status}; there is no file to download. Follow its status."


class JobFinished(HaulierError):
    code, status, title = "job_finished", 409, "Already finished"
    sentence = "The job is {job_status} and can no longer be cancelled."


class JobNotRetryable(HaulierError):
    code, status, title = "job_not_retryable", 409, "Not retryable"
    sentence = "The job is {job_status}; only a failed or cancelled job can be retried."


class ArtefactReplaced(HaulierError):
    """A range of an object that changed after it was published: wget, for one, joins any bytes it gets."""

    code, status, title = "artefact_replaced", 409, "File replaced"
    sentence = (
        "The file was replaced after this job was completed: what you have begun may be of the old one."
        " Download it whole, or initiate the download again."
    )


class ArtefactExpired(HaulierError):
    code, status, title = "artefact_expired", 410, "File expired"
    sentence = "The prepared file has expired. Initiate the download again."


class BodyTooLarge(HaulierError):
    code, status, title = "body_too_large", 413, "Body too large"
    sentence = "The body is larger than {limit_bytes} bytes."


class UnsupportedMediaType(HaulierError):
    code, status, title = "unsupported_media_type", 415, "Unsupported media type"
    sentence = "Send the body as application/json."


class RangeNotSatisfiable(HaulierError):
    code, status, title = "range_not_satisfiable", 416, "Range not satisfiable"
    sentence = "The file has {size} bytes; the range asked for lies outside."


class IdempotencyMismatch(HaulierError):
    code, status, title = "idempotency_key_reused", 422, "Idempotency key reused"
    sentence = "This Idempotency-Key was used for another request. Use a new key for a new one."


class RateLimited(HaulierError):
    code, status, title = "rate_limited", 429, "Too many requests"
    sentence = "You may start {limit} downloads a minute. Try again in {wait_s} s."


class QuotaExceeded(HaulierError):
    code, status, title = "quota_exceeded", 429, "Daily quota used up"
    sentence = (
        "You may start {limit} downloads a day: {left} are left, this needs {needed}. Your quota renews in {wait_s} s."
    )


class HeadersTooLarge(HaulierError):
    code, status, title = "headers_too_large", 431, "Header too large"
    sentence = "The header {name} is longer than {limit_bytes} bytes."


class Unavailable(HaulierError):
    """A dependency does not answer; nothing was accepted."""

    code, status, title = "unavailable", 503, "Temporarily unavailable"
    sentence = "The service cannot take this request right now. Try again in a few seconds."
    retry_after_s = 5


class LedgerUnavailable(Unavailable):
    code = "ledger_unavailable"


class EngineUnavailable(Unavailable):
    code = "engine_unavailable"


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"
