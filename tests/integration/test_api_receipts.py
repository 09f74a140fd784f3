"""Receipts over the API: whose they are, when there is one, what it states, and the keys to check it."""

from uuid import UUID, uuid4

import msgspec
import pytest

from haulier.api.receipts import receipt_view
from haulier.provenance import Input, Provenance, digest_of_inputs
from haulier.receipts import ReceiptSigner, check_signature, open_receipt, read_keys
from tests.builders import NOW, artefact, job
from tests.integration.api_steps import completed, failed, processing
from tests.receipts import SEED

INPUTS = (Input("downloads/70000.zip", '"e1"', 5), Input("https://ada:pw@origin.example/a?token=t#x", '"e2"'))
FACTS = Provenance(
    haulier="0.1.0",
    preparer="archive",
    preparer_version="1",
    recipe="a" * 64,
    inputs=INPUTS,
    inputs_total=2,
    inputs_sha256=digest_of_inputs(INPUTS),
    built_by=str(uuid4()),
    attempt=1,
    started_at="2026-11-23T10:00:00.000Z",
    finished_at="2026-11-23T10:00:05.000Z",
)


@pytest.fixture
def settings(settings):
    """Those of other tests, and a key."""
    return msgspec.structs.replace(settings, receipt_key=type(settings.jwt_secret)(SEED))


async def get(api, job_id, **request):
    return await api.get(f"/v1/download/receipt/{job_id}", **request)


async def test_a_completed_job_has_a_receipt_that_the_published_keys_vouch_for(api, services):
    job_id = await api.initiate()
    done = await completed(services, job_id)
    answer = await get(api, job_id)
    keys = await api.get("/v1/receipt-keys", user=None)
    opened = open_receipt(answer.content)
    assert check_signature(opened, read_keys(keys.content)).state == "good"
    assert opened.receipt.artefact.sha256 == done.artefact.sha256
    assert (opened.receipt.job_id, opened.receipt.file_id) == (job_id, 70_000)
    assert answer.headers["cache-control"] == "private, no-store"


async def test_it_states_what_the_file_was_made_of(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    await services.ledger.provenance.keep(UUID(job_id), FACTS)
    receipt = open_receipt((await get(api, job_id)).content).receipt
    assert [(each.etag, each.size) for each in receipt.inputs] == [('"e1"', 5), ('"e2"', None)]
    assert (receipt.inputs_total, receipt.inputs_sha256) == (2, FACTS.inputs_sha256)
    assert (receipt.build.preparer, receipt.build.built_by) == ("archive", None)


async def test_a_job_whose_facts_nobody_kept_has_a_receipt_all_the_same(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    receipt = (await get(api, job_id)).json()["receipt"]
    assert (receipt["inputs"], receipt["build"]) == (None, None)


async def test_it_names_no_token_and_no_user(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    await services.ledger.provenance.keep(UUID(job_id), FACTS)
    text = (await get(api, job_id)).text
    assert "https://origin.example/a" in text
    assert not [secret for secret in ("pw@", "token=t", "anna", "signature=") if secret in text]


async def test_someone_else_s_receipt_is_not_there_and_an_admin_s_is(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    for answer in (await get(api, job_id, user="berta"), await get(api, uuid4()), await get(api, "x")):
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert (await get(api, job_id, user="root", role="admin")).status_code == 200


@pytest.mark.parametrize("bring", [None, processing, failed])
async def test_without_a_file_there_is_no_receipt_yet(api, services, bring):
    job_id = await api.initiate()
    if bring:
        await bring(services, job_id)
    answer = await get(api, job_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_ready")


async def test_it_outlives_the_file(api, services, connection):
    job_id = await api.initiate()
    await connection.execute("update jobs set keep_for = interval '-1 second'")
    await completed(services, job_id)
    assert (await api.get(f"/v1/download/result/{job_id}")).status_code == 410
    assert (await get(api, job_id)).status_code == 200


async def test_it_goes_with_the_job_s_record(api, services, connection):
    job_id = await api.initiate()
    await completed(services, job_id)
    await services.ledger.provenance.keep(UUID(job_id), FACTS)
    await connection.execute("delete from jobs where id = $1", UUID(job_id))
    assert await services.ledger.provenance.get(UUID(job_id)) is None


async def test_the_facts_that_were_kept_first_stay(ledger, services, api):
    job_id = UUID(await api.initiate())
    await services.ledger.provenance.keep(job_id, FACTS)
    await services.ledger.provenance.keep(job_id, msgspec.structs.replace(FACTS, attempt=2))
    assert await ledger.provenance.get(job_id) == FACTS


async def test_head_tells_of_it_without_the_body(api, services):
    job_id = await api.initiate()
    await completed(services, job_id)
    answer = await api.call("HEAD", f"/v1/download/receipt/{job_id}")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_without_a_key_receipts_are_off(api, services, monkeypatch):
    object.__setattr__(services, "receipts", ReceiptSigner(""))
    job_id = await api.initiate()
    await completed(services, job_id)
    for path in (f"/v1/download/receipt/{job_id}", "/v1/receipt-keys"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "receipts_off")


def test_a_receipt_says_what_was_asked_for():
    done = job(status="completed", artefact=artefact(), completed_at=NOW, started_at=NOW)
    batch = msgspec.structs.replace(
        done, request=msgspec.structs.replace(done.request, file_id=None, file_ids=(70_000, 70_001), allow_missing=True)
    )
    view = receipt_view(batch, None, now=NOW)
    assert (view.file_id, view.file_ids, view.allow_missing) == (None, (70_000, 70_001), True)
