"""An address is left in peace: how few codes are mailed to it, and how fewer once its receiver wants no more."""

import asyncio
from uuid import UUID

from haulier.ledger import MOST_CHANNELS
from tests.integration.channel_steps import channel
from tests.integration.mail_steps import code_in, confirmed, email, link_in, mailed, mails, settings, vouched
from tests.receiver import log_of

__all__ = ["mails", "settings", "vouched"]  # fixtures

VICTIM = "victim@example.org"
DAY_S = 86_400


async def test_the_link_in_a_letter_with_a_code_stops_them_whoever_asks_but_for_one(api, services, mails, ledger, at):
    asked = await email(api, address=VICTIM)
    path = f"/v1/channels/{asked['channel_id']}"
    assert (await api.http.post(link_in(await mailed(services, mails)))).status_code == 200
    assert (await api.get(path)).json()["disabled_reason"] == "switched off by the link in an e-mail"
    assert (await api.post(f"{path}/code")).json()["status"] == "unconfirmed"
    await at(days=2)
    await ledger.retention.sweep()
    refused = [await api.post(f"{path}/code"), await api.post("/v1/channels", WANTED, user="mallory")]
    assert [each.json()["code"] for each in refused] == ["codes_limited"] * 2
    assert 27 * DAY_S < int(refused[0].headers["retry-after"]) <= 30 * DAY_S
    await at(days=31)
    await ledger.retention.sweep()
    assert (await api.post("/v1/channels", WANTED, user="mallory")).status_code == 201


WANTED = {"kind": "email", "address": VICTIM}


async def test_saying_it_again_brings_no_other_code(api, services, mails, at):
    asked = await email(api, address=VICTIM)
    path = f"/v1/channels/{asked['channel_id']}"
    link = link_in(await mailed(services, mails))
    await api.http.post(link)
    await api.post(f"{path}/code")
    await at(days=20)
    await api.http.post(link)
    await at(days=40)
    assert (await api.post(f"{path}/code")).json()["code"] == "codes_limited"


async def test_a_receiver_who_confirms_anew_gets_codes_as_before(api, services, mails):
    path, link = await confirmed(api, services, mails)
    await api.http.post(link)
    await api.post(f"{path}/code")
    answer = await api.post(f"{path}/confirm", {"code": code_in(await mailed(services, mails))})
    assert answer.json()["status"] == "active"
    another = await api.post("/v1/channels", {"kind": "email", "address": "anna@example.org"}, user="bob")
    assert another.status_code == 201


async def test_no_second_letter_is_queued_while_the_first_one_waits_and_the_first_has_the_latest_code(
    api, services, mails, connection
):
    asked = await email(api, address=VICTIM)
    path = f"/v1/channels/{asked['channel_id']}"
    await connection.execute("update deliveries set due_at = now() + interval '2 hours', attempts = 3")
    await api.post(f"{path}/code")
    letter = await mailed(services, mails)
    assert (await api.post(f"{path}/confirm", {"code": code_in(letter)})).json()["status"] == "active"
    assert [each["event"] for each in await log_of(api, asked)] == ["confirm"]


async def test_a_code_counts_only_when_it_is_mailed(api, services, connection):
    asked = await email(api, address=VICTIM)
    found = await services.ledger.confirming.get(UUID(asked["channel_id"]))
    asking = services.ledger.confirming.ask_again
    answers = await asyncio.gather(
        *(asking(found, sealed=bytes([n]), confirmed=False, address=VICTIM) for n in range(8))
    )
    assert sum(answer is not None for answer in answers) == 1
    assert await connection.fetchval("select used from usage where period = 'address'") == 2


async def test_a_request_that_mails_no_code_counts_none(api, services, ledger, connection):
    for _ in range(MOST_CHANNELS):
        await channel(ledger, "mallory")
    refused = [await api.post("/v1/channels", WANTED, user="mallory") for _ in range(3)]
    assert {each.json()["code"] for each in refused} == {"too_many_channels"}
    assert await connection.fetchval("select count(*) from usage where period in ('codes', 'address')") == 0
    assert (await api.post("/v1/channels", WANTED)).status_code == 201


async def test_requests_at_once_with_one_key_count_one_code(api, connection):
    key = {"headers": {"Idempotency-Key": "k"}}
    answers = await asyncio.gather(*(api.post("/v1/channels", WANTED, **key) for _ in range(3)))
    assert len({each.json()["channel_id"] for each in answers}) == 1
    assert await connection.fetchval("select used from usage where period = 'address'") == 1
