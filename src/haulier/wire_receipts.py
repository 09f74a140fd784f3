"""The JSON shapes of receipts and of the keys that sign them; the conventions are those of wire.py."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from haulier.wire import JobId, Time


class ReceiptArtefact(msgspec.Struct, frozen=True):
    """The file as it was prepared; `sha256` null when nobody has ever read all of its bytes."""

    file_name: str
    content_type: str
    size: int
    sha256: str | None
    etag: str


class ReceiptInput(msgspec.Struct, frozen=True):
    """A source in the version that was read."""

    name: str
    etag: str
    size: int | None


class ReceiptBuild(msgspec.Struct, frozen=True):
    """How the file was made. `built_by` is null when another job's artefact is shared."""

    haulier: str
    preparer: str
    preparer_version: str
    recipe: Annotated[str, Meta(description="SHA-256 of preparer, version, params and file name.")]
    built_by: JobId | None
    attempt: int
    started_at: Time
    finished_at: Time


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was delivered, and what it was made of: the payload of the signature. Null stands for what is not known.

    `inputs` are the first 1,000 of `inputs_total`; `inputs_sha256` covers all, each as a line `["name","etag",size]`.
    """

    haulier_receipt: Literal[1] = 1
    job_id: JobId
    file_id: int | None
    file_ids: tuple[int, ...] | None
    params: dict[str, Any]
    allow_missing: bool
    artefact: ReceiptArtefact
    inputs: tuple[ReceiptInput, ...] | None
    inputs_total: int | None
    inputs_sha256: str | None
    build: ReceiptBuild | None
    created_at: Time
    started_at: Time | None
    completed_at: Time
    issued_at: Time


class SignedReceipt(msgspec.Struct, frozen=True):
    """A receipt, readable and as a compact JWS (EdDSA) whose payload is the same object."""

    receipt: Receipt
    jws: str


class ReceiptKey(msgspec.Struct, frozen=True):
    """A public Ed25519 key as a JWK (RFC 8037); `kid` is its thumbprint (RFC 7638)."""

    x: str
    kid: str
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"


class ReceiptKeys(msgspec.Struct, frozen=True):
    """A JWK Set: the key that signs receipts, and those that did."""

    keys: tuple[ReceiptKey, ...]
