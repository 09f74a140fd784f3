"""Signing receipts, and reading what others say is one. Pure, no I/O.

A receipt travels as a compact JWS (RFC 7515) signed with Ed25519 (RFC 8037). Why so: docs/decisions/0011-receipts.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import OKPKey
from msgspec import UNSET, UnsetType

from haulier.errors import ReceiptsOff
from haulier.receipt_keys import private_key, public_key, public_keys, public_text
from haulier.wire_receipts import Receipt, ReceiptKey, ReceiptKeys, SignedReceipt

TYPE = "haulier-receipt+jwt"
ALGORITHM = "EdDSA"
ACCEPTED = (ALGORITHM, "Ed25519")  # RFC 9864's name for the same signatures
MAX_BYTES = 2**24  # 1,000 inputs with the longest names of a store make 3 MB

# What garbage makes of msgspec and joserfc.
_GARBAGE = (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class _Registry(jws.JWSRegistry):
    """One kind of signature, and room for long receipts."""

    max_payload_length = MAX_BYTES

    def get_alg(self, name: str) -> Any:
        """joserfc's own warns of `EdDSA`, the name that most verifiers know, and refuses nothing that it knows."""
        if name not in ACCEPTED:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY = _Registry()


class BadReceipt(ValueError):
    """What was read is no receipt, or no set of keys; the message says why."""


class ReceiptSigner:
    """Signs receipts with one key, and publishes it with those that signed before."""

    def __init__(self, private: str, *, old: str = "") -> None:
        """Keys as receipt_keys.py reads them; `private` empty: nothing is signed. Raises ValueError with a sentence."""
        self._key: OKPKey | None = None
        publics = public_keys(old)
        if private:
            key = private_key(private)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            self._key = OKPKey.import_key(pem)
            publics.insert(0, key.public_key())
        self._published = key_set(publics)

    def sign(self, receipt: Receipt) -> SignedReceipt:
        """Raises ReceiptsOff without a key."""
        if self._key is None:
            raise ReceiptsOff
        header = {"alg": ALGORITHM, "kid": self._published.keys[0].kid, "typ": TYPE}
        return SignedReceipt(
            receipt, jws.serialize_compact(header, msgspec.json.encode(receipt), self._key, registry=_REGISTRY)
        )

    @property
    def published(self) -> ReceiptKeys:
        """Raises ReceiptsOff when there is no key at all."""
        if not self._published.keys:
            raise ReceiptsOff
        return self._published


def key_set(keys: Sequence[Ed25519PublicKey]) -> ReceiptKeys:
    """The keys as they are published, each once."""
    texts = dict.fromkeys(public_text(key) for key in keys)
    return ReceiptKeys(tuple(ReceiptKey(x=text, kid=_kid(text)) for text in texts))


def _kid(text: str) -> str:
    return _public(text).thumbprint()


def _public(text: str) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": text})


class _AnyKey(msgspec.Struct):
    kty: str = ""
    crv: str = ""
    x: str = ""


class _AnyKeys(msgspec.Struct):
    keys: tuple[_AnyKey, ...]


def read_keys(raw: bytes) -> ReceiptKeys:
    """The Ed25519 keys of a JWK Set; others are passed over, and a key's name is its thumbprint whatever `kid` says.

    Raises BadReceipt.
    """
    try:
        found = msgspec.json.decode(raw, type=_AnyKeys).keys
        keys = [public_key(key.x) for key in found if (key.kty, key.crv) == ("OKP", "Ed25519")]
    except _GARBAGE:
        raise BadReceipt("it is no JSON Web Key Set as GET /v1/receipt-keys answers") from None
    if not keys:
        raise BadReceipt("it holds no Ed25519 key")
    return key_set(keys)


class OpenedReceipt(msgspec.Struct, frozen=True):
    """A receipt that was read, not believed. `altered`: what stands beside the signed text is not the same."""

    receipt: Receipt
    jws: str
    altered: bool = False


class _Envelope(msgspec.Struct):
    jws: str
    receipt: dict[str, Any] | UnsetType = UNSET


def open_receipt(raw: bytes) -> OpenedReceipt:
    """What a file holds: the answer of the API, or the JWS alone. Raises BadReceipt."""
    if len(raw) > MAX_BYTES:
        raise BadReceipt(f"it is larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode().strip()
        envelope = msgspec.json.decode(text, type=_Envelope) if text.startswith("{") else _Envelope(text)
        payload = jws.extract_compact(envelope.jws.encode(), registry=_REGISTRY).payload
        receipt = msgspec.json.decode(payload, type=Receipt)
        altered = envelope.receipt is not UNSET and envelope.receipt != msgspec.json.decode(payload)
    except _GARBAGE:
        raise BadReceipt("it is no receipt as GET /v1/download/receipt answers") from None
    return OpenedReceipt(receipt, envelope.jws, altered)


def receipt_document(signed: SignedReceipt) -> bytes:
    """The receipt as a file for people and programs: what was signed, readable and whole, and the signature.

    Made from the signed text, so that nothing is lost that a newer API says and this version does not know. Raises
    BadReceipt.
    """
    open_receipt(signed.jws.encode())
    payload = jws.extract_compact(signed.jws.encode(), registry=_REGISTRY).payload
    document = {"receipt": msgspec.Raw(payload), "jws": signed.jws}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


class Signature(msgspec.Struct, frozen=True):
    """What a look at a signature found.

    `good`: by a trusted key; `bad`: by nobody, or of another text; `untrusted`: by a key that is not among the trusted;
    `unchecked`: no key was given; `skipped`: nobody wanted to know.
    """

    state: Literal["good", "bad", "untrusted", "unchecked", "skipped"]
    kid: str = ""
    reason: str = ""

    @property
    def passes(self) -> bool:
        return self.state in {"good", "skipped"}


def check_signature(opened: OpenedReceipt, trusted: ReceiptKeys | None) -> Signature:
    """Whether one of the `trusted` keys signed it. The signature's own header chooses among them and nothing else."""
    try:
        header: dict[str, Any] = jws.extract_compact(opened.jws.encode(), registry=_REGISTRY).headers()
        kid, algorithm = header.get("kid"), header.get("alg")
    except _GARBAGE:
        return Signature("bad", reason="its header cannot be read")
    if algorithm not in ACCEPTED:
        return Signature("bad", reason="its algorithm is not EdDSA")
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != TYPE or not isinstance(kid, str):
        return Signature("bad", reason="its header is not that of a receipt")
    if opened.altered:
        return Signature("bad", kid, "what the receipt shows is not what was signed")
    if trusted is None:
        return Signature("unchecked", kid, "no trusted key was given")
    key = next((key for key in trusted.keys if key.kid == kid), None)
    if key is None:
        return Signature("untrusted", kid, "the key that signed it is not among the trusted ones")
    try:
        jws.deserialize_compact(opened.jws, _public(key.x), registry=_REGISTRY)
    except _GARBAGE:
        return Signature("bad", kid, "the receipt is not what this key signed")
    return Signature("good", kid)
