"""What an artefact was made of: the facts that the ledger keeps of a completed job, and that a receipt states. Pure."""

import hashlib
from collections.abc import Sequence

import msgspec

INPUTS_LISTED = 1_000


class Input(msgspec.Struct, frozen=True):
    """One source in the version that was found: what the receipt names, and what decides whether two builds are one.

    `etag` is whatever identifies the version (an ETag, quoted as its origin sends it); `size` in bytes when known.
    """

    name: str
    etag: str
    size: int | None = None


# All sources with their versions; None when a version is not known: such a build is never shared between jobs.
Inputs = tuple[Input, ...] | None


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """How a job's artefact came to be. Times are RFC 3339 in UTC, digests hex.

    `recipe` is the digest of preparer, version, params and file name. Of the inputs the first INPUTS_LISTED stand in
    `inputs`, `inputs_total` counts and `inputs_sha256` covers all of them; None, all three, for unknown versions.
    `built_by` is the job whose attempts made the artefact: another one when it was shared.
    """

    haulier: str
    preparer: str
    preparer_version: str
    recipe: str
    inputs: tuple[Input, ...] | None
    inputs_total: int | None
    inputs_sha256: str | None
    built_by: str
    attempt: int
    started_at: str
    finished_at: str


def digest_of_inputs(inputs: Sequence[Input]) -> str:
    """SHA-256 (hex) over the JSON arrays `["name","etag",size]` of all inputs, one a line, in order."""
    digest = hashlib.sha256()
    for each in inputs:
        digest.update(msgspec.json.encode((each.name, each.etag, each.size)) + b"\n")
    return digest.hexdigest()
