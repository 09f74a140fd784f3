"""Every error a user can meet: its code, HTTP status, title and sentence, in one list.

`permanent` matters to a failing attempt only: True fails the job at once, False lets it be tried again.
Detail sentences are templates filled from keyword arguments, so that nothing formats messages where it raises.
"""

from typing import Any, ClassVar


class HaulierError(Exception):
    """Base of all errors that may reach a user. Subclasses state `code`, `status`, `title` and `sentence`."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    sentence: ClassVar[str] = "Something went wrong on our side. Try again; if it persists, report the request id."
    permanent: ClassVar[bool] = False
    retry_after_s: int | None = None

    def __init__(self, *, retry_after_s: int | None = None, **facts: Any) -> None:
        self.facts = facts
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        super().__init__(self.detail)

    @property
    def detail(self) -> str:
        """The sentence for the user."""
        return self.sentence.format(**self.facts)


# ---- requests


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


class MalformedMessage(HaulierError):
    code, status, title = "malformed_message", 400, "Malformed message"
    sentence = "The message cannot be read: {reason}."


class Unauthenticated(HaulierError):
    code, status, title = "unauthenticated", 401, "Authentication required"
    sentence = "Send a valid bearer token in the Authorization header: {reason}."


class Forbidden(HaulierError):
    code, status, title = "forbidden", 403, "Forbidden"
    sentence = "Only the role admin may do this; haulier token --role admin makes a token for it."


class BadSignature(HaulierError):
    code, status, title = "bad_signature", 403, "Link not valid"
    sentence = "This link is not valid or has expired. Ask for a fresh one with GET /v1/download/file/{{job_id}}."


class OriginNotAllowed(HaulierError):
    code, status, title = "origin_not_allowed", 403, "Origin not allowed"
    sentence = "Pages of {origin} may not open this connection; its operator allows them with HAULIER_ALLOWED_ORIGINS."


class NotFound(HaulierError):
    code, status, title = "not_found", 404, "Not found"
    sentence = "There is nothing at this path. See /docs for what there is."


class JobNotFound(HaulierError):
    code, status, title = "job_not_found", 404, "Job not found"
    sentence = "There is no such job, or it is not yours."


class ReceiptsOff(HaulierError):
    code, status, title = "receipts_off", 404, "No receipts"
    sentence = "This installation signs no receipts; its operator switches them on with HAULIER_RECEIPT_KEY."


class ChannelsOff(HaulierError):
    code, status, title = "channels_off", 404, "No channels"
    sentence = "This installation has no key to keep channels with; its operator sets HAULIER_CHANNEL_KEY."


class ChannelNotFound(HaulierError):
    code, status, title = "channel_not_found", 404, "Channel not found"
    sentence = "There is no such channel, or it is not yours."


class ChannelKindOff(HaulierError):
    code, status, title = "channel_kind_off", 404, "Kind of channel not offered"
    sentence = "This installation offers no channels of kind {kind}; its operator switches them on with {setting}."


class WrongCode(HaulierError):
    code, status, title = "wrong_code", 400, "Wrong code"
    sentence = "This is not the code that was mailed to you; tries left: {left}."


class StopLinkUnknown(HaulierError):
    code, status, title = "stop_link_unknown", 404, "Nothing to switch off"
    sentence = "This link switches nothing off: it is not complete, or its channel was removed."


class DeliveryNotFound(HaulierError):
    code, status, title = "delivery_not_found", 404, "Delivery not found"
    sentence = "There is no such delivery, or it is not yours."


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


class TooManyChannels(HaulierError):
    code, status, title = "too_many_channels", 409, "Too many channels"
    sentence = "You have {limit} channels already; remove one first."


class ChannelDisabled(HaulierError):
    code, status, title = "channel_disabled", 409, "Channel disabled"
    sentence = "Nothing is delivered to this channel ({reason})."


class ChannelChanged(HaulierError):
    code, status, title = "channel_changed", 409, "Channel changed"
    sentence = "The channel was changed by another request at the same time. Look at it and try again."


class NothingToRotate(HaulierError):
    code, status, title = "nothing_to_rotate", 409, "Nothing to rotate"
    sentence = "A channel of kind {kind} has no secret that could be changed."


class DeliveryUnderWay(HaulierError):
    code, status, title = "delivery_under_way", 409, "Delivery under way"
    sentence = "This delivery is being sent right now."


class ArtefactReplaced(HaulierError):
    """A range of an object that changed after it was published: wget, for one, joins any bytes it gets."""

    code, status, title = "artefact_replaced", 409, "File replaced"
    sentence = (
        "The file was replaced after this job was completed: what you have begun may be of the old one."
        " Download it whole, or initiate the download again."
    )


class CodeOver(HaulierError):
    code, status, title = "code_over", 410, "Code not good any more"
    sentence = "The code has expired or was tried too often. Remove the channel and add it again to get another one."


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
    sentence = "This Idempotency-Key was used with another body. Use a new key for a new request."


class UpgradeRequired(HaulierError):
    code, status, title = "upgrade_required", 426, "Upgrade required"
    sentence = (
        "This is a WebSocket. If you did open it as one, a proxy on the way keeps the headers Upgrade and Connection"
        " back."
    )


class RateLimited(HaulierError):
    code, status, title = "rate_limited", 429, "Too many requests"
    sentence = "You may start {limit} downloads a minute. Try again in {wait_s} s."


class SendingRateLimited(HaulierError):
    code, status, title = "sending_rate_limited", 429, "Too many tests"
    sentence = "You may ask for {limit} tests and redeliveries a minute. Try again in {wait_s} s."


class CodesLimited(HaulierError):
    code, status, title = "codes_limited", 429, "Too many codes"
    sentence = "Too many codes were asked for today, by you or for this address. Try again in {wait_s} s."


class QuotaExceeded(HaulierError):
    code, status, title = "quota_exceeded", 429, "Daily quota used up"
    sentence = (
        "You may start {limit} downloads a day: {left} are left, this needs {needed}. Your quota renews in {wait_s} s."
    )


class TooManyStreams(HaulierError):
    code, status, title = "too_many_streams", 429, "Too many live connections"
    sentence = "You have {limit} live connections already. Close one, or poll the status instead."
    retry_after_s = 10


class TooManyTickets(HaulierError):
    code, status, title = "too_many_tickets", 429, "Too many tickets"
    sentence = "You may ask for {limit} tickets a minute. Keep your connections open, or try again in {wait_s} s."


class TooManySubscriptions(HaulierError):
    code, status, title = "too_many_subscriptions", 429, "Too many subscriptions"
    sentence = "A connection may follow {limit} jobs. Subscribe to all, or open another one."


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


# ---- attempts: what a job's `error.code` can say


class AttemptError(HaulierError):
    """An attempt went wrong. Transient unless the subclass says otherwise."""

    code, title = "preparation_failed", "Preparation failed"
    sentence = "The file could not be prepared. Try again later."


class SourceMissing(AttemptError):
    code, title, permanent = "source_missing", "Source missing", True
    sentence = "What the file is made from does not exist: {name}."


class SourceDenied(AttemptError):
    code, title, permanent = "source_denied", "Source denied", True
    sentence = "Access to what the file is made from was denied: {name}."


class SourceChanged(AttemptError):
    code, title = "source_changed", "Source changed"
    sentence = "What the file is made from changed while it was read: {name}."


class SourceUnavailable(AttemptError):
    code, title = "source_unavailable", "Source unavailable"
    sentence = "What the file is made from could not be read: {name} ({reason})."


class SourceTruncated(AttemptError):
    code, title = "source_truncated", "Source truncated"
    sentence = "{name} ended after {got} of {expected} bytes."


class SourceDamaged(AttemptError):
    code, title = "source_damaged", "Source damaged"
    sentence = "{name} does not have the digest that its origin states."


class SourceTooLarge(AttemptError):
    code, title, permanent = "source_too_large", "Source too large", True
    sentence = "{name} is larger than the limit of {limit_bytes} bytes."


class SourceRefused(AttemptError):
    code, title, permanent = "source_refused", "Source refused", True
    sentence = "The address of {name} is not allowed: {reason}."


class QueryFailed(AttemptError):
    """The data or the parameters are such that the same query fails again."""

    code, title, permanent = "query_failed", "Query failed", True
    sentence = "The database cannot answer the query with this data and these parameters ({reason})."


class QueryTimedOut(AttemptError):
    code, title, permanent = "query_timed_out", "Query timed out", True
    sentence = "The query was stopped because it took too long (limit {limit_s} s)."


class UnknownPreparer(AttemptError):
    code, title, permanent = "unknown_preparer", "Unknown preparer", True
    sentence = "No preparer named {name} is installed on the worker."


class BadRecipe(AttemptError):
    code, title, permanent = "bad_recipe", "Bad catalogue rule", True
    sentence = "The catalogue's rule for this file is not valid: {reason}."


class StorageFailed(AttemptError):
    code, title = "storage_failed", "Storage failed"
    sentence = "The prepared file could not be stored ({reason})."


class ArtefactDamaged(AttemptError):
    code, title = "artefact_damaged", "Artefact damaged"
    sentence = "The stored file has {got} bytes where {expected} were written."


class UploadLost(AttemptError):
    """Parts of an interrupted upload are gone: the next attempt starts over."""

    code, title = "upload_lost", "Upload lost"
    sentence = "What an earlier attempt had stored of the file is gone."


class WorkerLost(AttemptError):
    code, title = "worker_lost", "Worker lost"
    sentence = "The worker that prepared the file stopped answering."


class TookTooLong(AttemptError):
    code, title = "took_too_long", "Took too long"
    sentence = "The file took longer than {limit_s} s to prepare."


# ---- checking files


class NotVerifiable(HaulierError):
    """A file, a receipt or a set of keys cannot be read, so that nothing is known about the file."""

    code, title = "not_verifiable", "Not verifiable"
    sentence = "{name} cannot be used: {reason}."


class VerificationFailed(HaulierError):
    code, title = "verification_failed", "Verification failed"
    sentence = "{name} is not verified: {reasons}."


# ---- starting up


class ConfigurationError(HaulierError):
    """The settings do not allow a start; `problems` names each variable and what to do."""

    code, title = "configuration", "Configuration"
    sentence = "{problems}"


class HomeInUse(HaulierError):
    code, title = "home_in_use", "Home in use"
    sentence = "{home} is in use by process {pid}. Stop it, or choose another folder with --home."


class MigrationError(HaulierError):
    code, title = "migration", "Migration"
    sentence = "The database cannot be migrated: {reason}"


def every_error() -> list[type[HaulierError]]:
    """All errors of this module, for the documentation and its test; preparers may have further ones of their own."""
    found: list[type[HaulierError]] = []
    todo: list[type[HaulierError]] = [HaulierError]
    while todo:
        current = todo.pop()
        found += [current] if current.__module__ == __name__ else []
        todo += current.__subclasses__()
    return sorted(found, key=lambda error: error.code)
