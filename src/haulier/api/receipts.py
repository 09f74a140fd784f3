"""Receipts: signed statements of what was delivered, and the keys to check them with."""

import asyncio
from datetime import datetime
from urllib.parse import urlsplit

from haulier.api.exchange import Answer, Exchange, Headers, json_answer
from haulier.api.finding import find_job
from haulier.api.requests import job_id_of
from haulier.api.services import Services
from haulier.clock import wire_time
from haulier.errors import JobNotReady
from haulier.job import Job
from haulier.provenance import Input, Provenance
from haulier.wire_receipts import Receipt, ReceiptArtefact, ReceiptBuild, ReceiptInput

KEYS_PATH = "/v1/receipt-keys"
KEYS_KEPT: Headers = ((b"cache-control", b"public, max-age=300"),)


async def receipt(exchange: Exchange, services: Services) -> Answer:
    """The receipt of a completed job, signed just now; the file itself may have expired."""
    job = await find_job(job_id_of(exchange), caller=exchange.caller, services=services)
    if job.artefact is None:
        raise JobNotReady(job_status=job.status.value)
    facts = await services.ledger.provenance.get(job.id)
    view = receipt_view(job, facts, now=services.clock.now())
    # 1,000 inputs with long names take tens of milliseconds.
    return json_answer(await asyncio.to_thread(services.receipts.sign, view))


async def receipt_keys(_: Exchange, services: Services) -> Answer:
    """The public keys, for whoever wants to check a receipt."""
    return json_answer(services.receipts.published, headers=KEYS_KEPT)


def receipt_view(job: Job, facts: Provenance | None, *, now: datetime) -> Receipt:
    """What the receipt of a completed job states; `facts` None: nobody kept what it was made of."""
    artefact = job.artefact
    assert artefact is not None
    return Receipt(
        job_id=str(job.id),
        file_id=job.request.file_id,
        file_ids=job.request.file_ids or None,
        params=job.request.params,
        allow_missing=job.request.allow_missing,
        artefact=ReceiptArtefact(
            artefact.file_name, artefact.content_type, artefact.size, artefact.sha256, artefact.etag
        ),
        inputs=tuple(map(_input, facts.inputs)) if facts and facts.inputs is not None else None,
        inputs_total=facts.inputs_total if facts else None,
        inputs_sha256=facts.inputs_sha256 if facts else None,
        build=_build(facts, job) if facts else None,
        created_at=wire_time(job.created_at),
        started_at=wire_time(job.started_at) if job.started_at else None,
        completed_at=wire_time(job.completed_at or job.updated_at),
        issued_at=wire_time(now),
    )


def _build(facts: Provenance, job: Job) -> ReceiptBuild:
    return ReceiptBuild(
        haulier=facts.haulier,
        preparer=facts.preparer,
        preparer_version=facts.preparer_version,
        recipe=facts.recipe,
        # Of another user's job not even the id is told.
        built_by=facts.built_by if facts.built_by == str(job.id) else None,
        attempt=facts.attempt,
        started_at=facts.started_at,
        finished_at=facts.finished_at,
    )


def _input(source: Input) -> ReceiptInput:
    return ReceiptInput(_without_secrets(source.name), source.etag, source.size)


def _without_secrets(name: str) -> str:
    """An address without user, query and fragment, which can hold tokens; every other name as it is."""
    if "://" not in name:
        return name
    try:
        parts = urlsplit(name)
    except ValueError:
        return name.partition("://")[0] + "://"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
