"""E-mail channels from adding one to the letter about a job, through a real mail server."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from haulier.clock import SystemClock
from haulier.settings import Secret
from tests.couriers import another_api, running_couriers
from tests.integration.api_steps import completed
from tests.integration.mail_steps import code_in, email, mails, settings, vouched
from tests.receiver import log_of, over
from tests.waiting import eventually

__all__ = ["mails", "settings", "vouched"]  # fixtures

VICTIM = "victim@example.org"


class Later(SystemClock):
    """Half an hour and a minute from now, within the life of a token."""

    def now(self):
        return super().now() + timedelta(minutes=31)


async def test_the_address_of_the_token_is_confirmed_at_once_and_hears_of_a_job_once(api, services, mails, vouched):
    channel = await email(api, language="de")
    assert (channel["status"], channel["target"]) == ("active", "a***@example.org")
    job_id = await api.initiate()
    async with running_couriers(services, count=2):
        await completed(services, job_id)
        delivery = await over(api, channel)
    assert delivery["status"] == "delivered"
    assert delivery["attempts"][0]["answer"] == 250
    (mail,) = mails.mails
    assert mail["To"] == "anna@example.org"
    assert mail["Message-ID"] == f"<{delivery['delivery_id']}@haulier.example>"
    assert mail["Subject"].startswith("Ihr Download")
    assert f"https://haulier.example/jobs/{job_id}" in mail.get_body(("plain",)).get_content()


async def test_another_address_hears_nothing_before_its_code_came_back(api, services, mails):
    channel = await email(api, address="anna@example.org")
    assert channel["status"] == "unconfirmed"
    path = f"/v1/channels/{channel['channel_id']}"
    async with running_couriers(services):
        await completed(services, await api.initiate(70_000))
        await eventually(lambda: mails.raw)
        wrong = await api.post(f"{path}/confirm", {"code": "x"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "wrong_code")
        assert (await api.post(f"{path}/test")).json()["code"] == "channel_disabled"
        right = await api.post(f"{path}/confirm", {"code": code_in(mails.mails[0])})
        assert right.json()["status"] == "active"
        await completed(services, await api.initiate(70_001))
        await eventually(lambda: len(mails.raw) == 2)
    assert mails.mails[1]["Subject"] == "Your download is ready: 70000.zip"
    assert [each["event"] for each in await log_of(api, channel)] == ["job.completed", "confirm"]


async def test_a_code_has_few_tries_even_at_once(api, services, connection):
    channel = await email(api, address=VICTIM)
    path = f"/v1/channels/{channel['channel_id']}/confirm"
    tries = [await api.post(path, {"code": "000000x"}) for _ in range(5)]
    assert {each.json()["code"] for each in tries} == {"wrong_code"}
    sealed = await connection.fetchval("select sealed from channels")
    found = services.sealer.open(UUID(channel["channel_id"]), sealed)
    late = await api.post(path, {"code": found["code"]})
    assert (late.status_code, late.json()["code"]) == (410, "code_over")


async def test_a_code_expires(api, services, mails):
    channel = await email(api, address=VICTIM)
    async with running_couriers(services):
        await eventually(lambda: mails.raw)
    async with another_api(services, clock=Later()) as later:
        answer = await later.post(f"/v1/channels/{channel['channel_id']}/confirm", {"code": code_in(mails.mails[0])})
    assert answer.json()["code"] == "code_over"


async def test_nobody_is_sent_more_than_three_codes_a_day_whoever_asks(api, at):
    for user in ("eve", "mallory", "trudy"):
        answer = await api.post("/v1/channels", {"kind": "email", "address": VICTIM.upper()}, user=user)
        assert answer.status_code == 201
    refused = await api.post("/v1/channels", {"kind": "email", "address": VICTIM})
    assert (refused.status_code, refused.json()["code"]) == (429, "codes_limited")
    assert int(refused.headers["retry-after"]) > 80_000
    assert (await api.get("/v1/channels")).json()["channels"] == []
    await at(hours=25)
    await email(api, address=VICTIM)


async def test_a_user_cannot_mail_codes_to_everybody(api):
    answers = [
        (await api.post("/v1/channels", {"kind": "email", "address": f"someone{n}@example.org"})).status_code
        for n in range(11)
    ]
    assert answers == [201] * 10 + [429]


async def test_a_repeated_request_mails_one_code(api, connection):
    headers = {"Idempotency-Key": "once"}
    for _ in range(4):
        answer = await api.post("/v1/channels", {"kind": "email", "address": VICTIM}, headers=headers)
        assert answer.status_code == 201
    assert await connection.fetchval("select count(*) from deliveries") == 1


@pytest.mark.parametrize(
    "address",
    ["", "anna", "a@b@c", "anna@example.org\r\nBcc: x@y.z", '"a b"@c.d', "a@b.c, d@e.f", "Anna <a@b.c>", "ä@b.c"],
)
async def test_what_is_no_plain_address_is_refused(api, address):
    answer = await api.post("/v1/channels", {"kind": "email", "address": address})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/address")


async def test_what_nobody_confirms_is_forgotten(api, ledger, connection, at):
    await email(api, address=VICTIM)
    await at(hours=25)
    await ledger.confirming.sweep()
    assert await connection.fetchval("select count(*) from channels") == 0


async def test_another_code_takes_the_place_of_the_one_before(api, services, mails):
    channel = await email(api, address="anna@example.org")
    path = f"/v1/channels/{channel['channel_id']}"
    async with running_couriers(services):
        await eventually(lambda: len(mails.raw) == 1)
        for _ in range(5):
            await api.post(f"{path}/confirm", {"code": "x"})
        sent = await api.post(f"{path}/code")
        assert (sent.status_code, sent.json()["status"]) == (200, "unconfirmed")
        await eventually(lambda: len(mails.raw) == 2)
    assert (await api.post(f"{path}/confirm", {"code": code_in(mails.mails[1])})).json()["status"] == "active"
    again = await api.post(f"{path}/code")
    assert (again.status_code, again.json()["status"]) == (200, "active")
    assert len(await log_of(api, channel)) == 2


async def test_other_codes_count_as_the_first_does(api):
    channel = await email(api, address=VICTIM)
    path = f"/v1/channels/{channel['channel_id']}/code"
    assert [(await api.post(path)).status_code for _ in range(3)] == [200, 200, 429]
    assert (await api.post(path, user="eve")).status_code == 404


async def test_the_kind_is_off_without_a_mail_server(services, api):
    channel = await email(api, address=VICTIM)
    settings = msgspec.structs.replace(services.settings, smtp_url=Secret())
    async with another_api(services, settings=settings) as api:
        answer = await api.post("/v1/channels", {"kind": "email", "address": VICTIM})
        assert (answer.status_code, answer.json()["code"]) == (404, "channel_kind_off")
        assert (await api.get("/v1/channel-kinds")).json()["email"]["offered"] is False
        code = await api.post(f"/v1/channels/{channel['channel_id']}/code")
        assert (code.status_code, code.json()["code"]) == (404, "channel_kind_off")


async def test_a_letter_that_comes_when_the_file_is_gone_does_not_offer_it(api, services, mails, vouched, at):
    await email(api)
    await completed(services, await api.initiate())
    await at(days=2)
    assert len((await services.ledger.retention.expire_artefacts()).jobs) == 1
    async with running_couriers(services):
        await eventually(lambda: mails.raw)
    assert mails.mails[0]["Subject"].startswith("Your download was ready")
