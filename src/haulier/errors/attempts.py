"""Errors of attempts: what a job's `error.code` can say."""

from haulier.errors.base import HaulierError


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
