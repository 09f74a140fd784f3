"""A receiver who wants nothing more: what the link in a letter does, and how the channel comes on again."""

import asyncio

import pytest

from tests.couriers import running_couriers
from tests.integration.api_steps import completed
from tests.integration.channel_steps import channel as added
from tests.integration.channel_steps import claim, finish, job
from tests.integration.ledger_steps import claimed
from tests.integration.mail_steps import code_in, confirmed, email, link_in, mailed, mails, settings, vouched
from tests.receiver import log_of, over
from tests.waiting import eventually

__all__ = ["mails", "settings", "vouched"]  # fixtures


async def test_the_link_in_a_letter_asks_first_and_then_switches_off_its_channel_only(api, services, mails, vouched):
    channel, other = await email(api), await email(api, address="ben@example.org")
    async with running_couriers(services):
        await completed(services, await api.initiate())
        await over(api, channel)
        await over(api, other)
    letter = next(each for each in mails.mails if each["To"] == "anna@example.org")
    link = link_in(letter)
    asked = await api.http.get(link, headers={"accept-language": "de-AT"})
    assert asked.status_code == 200
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert "Keine weiteren E-Mails" in asked.text
    assert (await api.get(f"/v1/channels/{channel['channel_id']}")).json()["status"] == "active"
    one_click = await api.http.post(link, data={"List-Unsubscribe": "One-Click"})
    assert one_click.status_code == 200
    found = (await api.get(f"/v1/channels/{channel['channel_id']}")).json()
    assert (found["status"], found["disabled_reason"]) == ("disabled", "switched off by the link in an e-mail")
    assert (await api.get(f"/v1/channels/{other['channel_id']}")).json()["status"] == "unconfirmed"
    assert (await api.http.post(f"{link[:-4]}AAAA")).status_code == 404
    assert letter["List-Unsubscribe"] == f"<https://haulier.example{link}>"


async def test_whom_a_receiver_switched_off_cannot_switch_it_on_alone(api, services, mails, ledger, at):
    channel = await email(api, address="anna@example.org")
    path = f"/v1/channels/{channel['channel_id']}"
    async with running_couriers(services):
        await eventually(lambda: mails.raw)
        await api.post(f"{path}/confirm", {"code": code_in(mails.mails[0])})
        await completed(services, await api.initiate())
        await eventually(lambda: len(mails.raw) == 2)
        await api.http.post(link_in(mails.mails[1]))
        await at(hours=25)
        await ledger.confirming.sweep()
        refused = await api.post(f"{path}/enable")
        assert (refused.status_code, refused.json()["code"]) == (409, "channel_unconfirmed")
        assert (await api.post(f"{path}/code")).json()["status"] == "unconfirmed"
        await eventually(lambda: len(mails.raw) == 3)
    answer = await api.post(f"{path}/confirm", {"code": code_in(mails.mails[2])})
    assert answer.json()["status"] == "active"


async def test_whose_token_vouches_for_the_address_switches_it_on_without_a_code(api, services, mails, vouched):
    channel = await email(api)
    async with running_couriers(services):
        await completed(services, await api.initiate())
        await over(api, channel)
    await api.http.post(link_in(mails.mails[0]))
    answer = await api.post(f"/v1/channels/{channel['channel_id']}/code")
    assert answer.json()["status"] == "active"
    assert len(await log_of(api, channel)) == 1


async def test_a_code_for_a_channel_that_its_receiver_switched_off_is_over(api, services, mails):
    path, link = await confirmed(api, services, mails)
    await api.http.post(link)
    answer = await api.post(f"{path}/confirm", {"code": "123456"})
    assert (answer.status_code, answer.json()["code"]) == (410, "code_over")


async def test_a_code_of_before_the_latest_no_more_confirms_nothing(api, services, mails):
    path, link = await confirmed(api, services, mails)
    await api.http.post(link)
    await api.post(f"{path}/code")
    code = code_in(await mailed(services, mails))
    await api.http.post(link)
    assert (await api.post(f"{path}/confirm", {"code": code})).json()["code"] == "code_over"
    assert (await api.post(f"{path}/enable")).json()["code"] == "channel_unconfirmed"


async def test_a_letter_that_was_under_way_waits_until_the_receiver_has_confirmed_anew(api, services, ledger, mails):
    path, link = await confirmed(api, services, mails)
    await completed(services, await api.initiate(70_009))
    (found,) = await claim(ledger, kinds=("email",))
    await api.http.post(link)
    await api.post(f"{path}/code")
    await finish(ledger, found, "again", reason="the mail server puts the e-mail off")
    (code,) = await claim(ledger, kinds=("email",))
    assert code.delivery.event == "confirm"
    await finish(ledger, code)
    assert await claim(ledger, kinds=("email",)) == []
    await api.post(f"{path}/confirm", {"code": services.sealer.open(code.channel.id, code.channel.sealed)["code"]})
    assert (await mailed(services, mails))["Subject"].startswith("Your download is ready")


async def test_a_dispatcher_of_the_version_before_leaves_what_a_receiver_switched_off(api, services, mails, connection):
    path, link = await confirmed(api, services, mails)
    await api.http.post(link)
    await connection.execute("update channels set created_at = created_at - interval '2 days'")
    await connection.execute("delete from channels where not confirmed and created_at < now() - interval '1 day'")
    assert (await api.get(path)).json()["status"] == "disabled"


async def test_an_api_of_the_version_before_cannot_switch_it_on_either(api, services, mails, ledger, connection):
    path, link = await confirmed(api, services, mails)
    await api.http.post(link)
    await connection.execute("update channels set disabled_at = null, disabled_reason = null where confirmed")
    await completed(services, await api.initiate(70_010))
    assert [each["event"] for each in await log_of(api, (await api.get(path)).json())] == ["job.completed", "confirm"]
    assert (await api.post(f"{path}/test")).json()["code"] == "channel_disabled"
    assert (await api.get(path)).json()["status"] == "disabled"


@pytest.mark.parametrize("first", ["end", "stop"])
async def test_nothing_waits_for_a_channel_that_is_switched_off_while_a_job_ends(ledger, connection, first):
    hears = await added(ledger, kind="email")
    attempt = await claimed(ledger, await job(ledger))
    end, stop = "select cancel_job($1, 'anna')", "select switch_off_channel($1, 'no more', 'hash')"
    begun = connection.transaction()
    await begun.start()
    if first == "end":
        await connection.execute(end, attempt.job.id)
        other = asyncio.create_task(ledger.confirming.switch_off(hears.id, reason="no more", address="a@b.c"))
    else:
        await connection.execute(stop, hears.id)
        other = asyncio.create_task(ledger.attempts.cancel(attempt.job.id, user_id="anna"))
    waiting = "select count(*) from pg_locks where not granted"
    await eventually(lambda: connection.fetchval(waiting))
    await begun.commit()
    await other
    assert [each.status for each in await ledger.deliveries.page(hears.id, status="pending", limit=5)] == []


async def test_a_code_of_a_confirmed_channel_is_not_delivered_again(api, services, mails):
    path, _ = await confirmed(api, services, mails)
    (code,) = [each for each in await log_of(api, (await api.get(path)).json()) if each["event"] == "confirm"]
    answer = await api.post(f"/v1/deliveries/{code['delivery_id']}/redeliver")
    assert (answer.status_code, answer.json()["code"]) == (409, "code_not_redelivered")


async def test_a_code_that_cannot_be_mailed_is_no_failure_of_its_channel(ledger):
    waits = await added(ledger, kind="email", confirmed=False)
    (code,) = await claim(ledger, kinds=("email",))
    await finish(ledger, code, "failed", reason="the code has expired")
    assert (await ledger.channels.get(waits.id, user_id="anna")).failing_since is None


@pytest.mark.parametrize(
    "again",
    [{"kind": "webhook", "url": "https://hooks.example.com/x"}, {"kind": "email", "address": "bob@example.org"}],
)
async def test_a_link_switches_off_no_channel_that_came_to_the_same_id_later(api, services, mails, again):
    key = {"headers": {"Idempotency-Key": "mine"}}
    made = await api.post("/v1/channels", {"kind": "email", "address": "anna@example.org"}, **key)
    path = f"/v1/channels/{made.json()['channel_id']}"
    await api.post(f"{path}/confirm", {"code": code_in(await mailed(services, mails))})
    await completed(services, await api.initiate())
    link = link_in(await mailed(services, mails))
    assert (await api.http.get(link)).status_code == 200
    await api.call("DELETE", path)
    assert (await api.http.get(link)).json()["code"] == "stop_link_unknown"
    assert (await api.post("/v1/channels", again, **key)).json()["channel_id"] == made.json()["channel_id"]
    assert (await api.http.post(link)).json()["code"] == "stop_link_unknown"
    assert "disabled_at" not in (await api.get(path)).json()
    assert (await api.post(f"{path}/code")).status_code == 200
