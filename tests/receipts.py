"""Builders for receipts, their keys, and archives with a manifest: right by default, so that a test names the wrong."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import OKPKey

from haulier.receipts import ReceiptSigner
from haulier.wire_receipts import Receipt, ReceiptArtefact

JOB = "0190a6c0-0000-7000-8000-000000000001"
MANIFEST = "haulier-manifest.json"
SEED = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
OTHER_SEED = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
SIGNER = ReceiptSigner(SEED)
KEYS = SIGNER.published
FILES = {"a/report.csv": b"1,2,3\n" * 5_000, "empty": b"", "märz 日本.bin": bytes(range(256)) * 40}


def receipt(content: bytes = b"hello", **fields: Any) -> Receipt:
    """The receipt of a file with this content."""
    artefact = ReceiptArtefact(
        "report.zip", "application/zip", len(content), hashlib.sha256(content).hexdigest(), '"e"'
    )
    known: dict[str, Any] = {
        "job_id": JOB,
        "file_id": 70_000,
        "file_ids": None,
        "params": {},
        "allow_missing": False,
        "artefact": artefact,
        "inputs": None,
        "inputs_total": None,
        "inputs_sha256": None,
        "build": None,
        "created_at": "2026-11-23T10:00:00.000Z",
        "started_at": "2026-11-23T10:00:01.000Z",
        "completed_at": "2026-11-23T10:00:05.000Z",
        "issued_at": "2026-11-23T10:01:00.000Z",
    }
    return Receipt(**known | fields)


def signed(content: bytes = b"hello", **fields: Any) -> bytes:
    """A receipt as the API answers it."""
    return msgspec.json.encode(SIGNER.sign(receipt(content, **fields)))


def forged(payload: bytes, header: dict[str, Any], *, key: Any = None) -> bytes:
    """A JWS by anybody, with any header."""
    algorithm = header["alg"]
    if algorithm == "none":
        return jws.serialize_compact(header, payload, None, algorithms=["none"]).encode()
    return jws.serialize_compact(
        header, payload, key or OKPKey.generate_key("Ed25519"), algorithms=[algorithm]
    ).encode()


def manifest(files: Mapping[str, bytes], **fields: Any) -> dict[str, Any]:
    """The manifest of an archive of `files`."""
    entries = [
        {
            "name": name,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "modified": "2026-11-23T10:00:00Z",
            "source": f"sources/{name}",
            "etag": '"e"',
        }
        for name, content in files.items()
    ]
    return {"haulier_manifest": 1, "entries": entries, "missing": []} | fields


def archive(
    files: Mapping[str, bytes] = FILES, *, listed: Any = None, compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A ZIP of `files` whose manifest says `listed` (None: the truth)."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", compression) as made:
        for name, content in files.items():
            made.writestr(name, content)
        made.writestr(MANIFEST, msgspec.json.encode(manifest(files) if listed is None else listed))
    return into.getvalue()
