"""One address, browser or place is told once, however often its user adds it."""

import asyncio

import pytest

from haulier.notify.resealing import reseal
from haulier.sealing import Sealer
from haulier.settings import Secret
from tests.browser import Browser, pushing
from tests.couriers import another_api, running_couriers
from tests.integration.api_steps import completed
from tests.integration.mail_steps import code_in, mailed, mails, vouched
from tests.integration.mail_steps import settings as mail_settings
from tests.loopback import Reply
from tests.receiver import receiver, webhook
from tests.waiting import eventually

__all__ = ["mail_settings", "mails", "vouched"]  # fixtures

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
ADDRESS = {"kind": "email", "address": "anna@example.org"}
APPRISE = {"kind": "apprise", "url": SLACK}


@pytest.fixture
def settings(mail_settings):
    return pushing(mail_settings)


async def ids(api, **request):
    return [each["channel_id"] for each in (await api.get("/v1/channels", **request)).json()["channels"]]


async def test_a_page_that_hands_its_browser_over_at_each_visit_has_one_channel_that_is_told_once(api, services):
    async with receiver(Reply(201)) as service:
        wanted = {"kind": "push", "subscription": Browser(service.url).subscription}
        answers = [await api.post("/v1/channels", wanted) for _ in range(21)]
        assert {each.status_code for each in answers} == {201}
        assert {each.json()["channel_id"] for each in answers} == {*await ids(api)}
        async with running_couriers(services):
            await completed(services, await api.initiate())
            await eventually(lambda: service.seen)
        assert (len(service.seen), len(await ids(api))) == (1, 1)


@pytest.mark.parametrize("wanted", [ADDRESS, APPRISE], ids=["email", "apprise"])
async def test_the_same_place_is_one_channel_also_when_it_is_asked_for_at_once(api, vouched, wanted):
    answers = await asyncio.gather(*(api.post("/v1/channels", wanted) for _ in range(5)))
    assert {each.status_code for each in answers} == {201}
    assert [*{each.json()["channel_id"] for each in answers}] == await ids(api)


@pytest.mark.parametrize(
    "other", [{"events": ["job.failed"]}, {"label": "x"}, {"every_job": False}, {"language": "de"}]
)
async def test_who_wants_something_else_of_it_is_told_which_channel_there_is(api, other):
    first = (await api.post("/v1/channels", APPRISE)).json()
    answer = await api.post("/v1/channels", APPRISE | other)
    assert (answer.status_code, answer.json()["code"]) == (409, "channel_exists")
    assert first["channel_id"] in answer.json()["detail"]


async def test_a_channel_that_waits_for_its_code_is_no_reason_to_mail_another_one(api, services, mails, connection):
    first = (await api.post("/v1/channels", ADDRESS)).json()
    again = await api.post("/v1/channels", {"kind": "email", "address": "Anna@Example.org"})
    assert (again.status_code, again.json()["code"]) == (409, "channel_exists")
    assert await connection.fetchval("select used from usage where period = 'address'") == 1
    code = code_in(await mailed(services, mails))
    await api.post(f"/v1/channels/{first['channel_id']}/confirm", {"code": code})
    assert (await api.post("/v1/channels", ADDRESS)).json()["channel_id"] == first["channel_id"]


async def test_one_that_is_off_is_switched_on_and_not_made_anew(api, connection):
    await api.post("/v1/channels", APPRISE)
    await connection.execute("update channels set disabled_at = now(), disabled_reason = 'x'")
    assert (await api.post("/v1/channels", APPRISE)).json()["code"] == "channel_exists"


async def test_a_place_that_was_removed_other_users_and_webhooks_are_free(api):
    first = (await api.post("/v1/channels", APPRISE)).json()["channel_id"]
    assert (await api.post("/v1/channels", APPRISE, user="bob")).status_code == 201
    await api.call("DELETE", f"/v1/channels/{first}")
    assert (await api.post("/v1/channels", APPRISE)).json()["channel_id"] != first
    for _ in range(2):
        await webhook(api, "https://example.com/hook")
    assert len(await ids(api)) == 3


async def test_a_place_is_known_under_a_new_key_before_and_after_channels_are_sealed_anew(api, services, connection):
    first = (await api.post("/v1/channels", APPRISE)).json()["channel_id"]
    keys = [Secret("n" * 32), services.settings.channel_key, services.settings.jwt_secret, services.settings.url_secret]
    sealer = Sealer(keys)
    async with another_api(services, sealer=sealer) as new:
        assert (await new.post("/v1/channels", APPRISE)).json()["channel_id"] == first
        assert await reseal(services.ledger.channels, sealer) == 1
        assert (await new.post("/v1/channels", APPRISE)).json()["channel_id"] == first
    async with another_api(services, sealer=Sealer(keys[:1])) as later:
        assert (await later.post("/v1/channels", APPRISE)).json()["channel_id"] == first


async def test_channels_of_before_are_known_once_a_worker_has_looked_at_them(api, services, connection):
    first = (await api.post("/v1/channels", APPRISE)).json()["channel_id"]
    await connection.execute("update channels set fingerprint = null")
    await reseal(services.ledger.channels, services.sealer)
    assert (await api.post("/v1/channels", APPRISE)).json()["channel_id"] == first
    assert await reseal(services.ledger.channels, services.sealer) == 0


async def test_nobody_without_the_key_can_tell_that_two_users_have_one_place(api, connection):
    for user in ("anna", "bob"):
        await api.post("/v1/channels", APPRISE, user=user)
    assert await connection.fetchval("select count(distinct fingerprint) from channels") == 2
