"""E-mail channels from adding one to the letter about a job, through a real mail server."""

import re
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from haulier.api.auth import Caller
from haulier.clock import SystemClock
from haulier.limits import Role
from haulier.settings import Secret
from tests.couriers import another_api, running_couriers
from tests.integration.api_steps import completed
from tests.mail_server import running_mail_server
from tests.receiver import log_of, over
from tests.waiting import eventually

VICTIM = "victim@example.org"


@pytest.fixture
async def mails():
    async with running_mail_server() as server:
        yield server


@pytest.fixture
def settings(settings, mails):
    return msgspec.structs.replace(
        settings,
        smtp_url=Secret(f"smtp://127.0.0.1:{mails.port}?starttls=no"),
        mail_from="Downloads <downloads@haulier.example>",
        public_url="https://haulier.example",
    )


@pytest.fixture
def vouched(services, monkeypatch):
    """Tokens of `anna` come from an issuer that knows her address."""

    async def caller(_authorization, *, takes_basic=False):
        return Caller(user_id="anna", role=Role.FREE, expires=2e9, email="anna@example.org")

    monkeypatch.setattr(services.tokens, "caller", caller)


class Later(SystemClock):
    """Half an hour and a minute from now, within the life of a token."""

    def now(self):
        return super().now() + timedelta(minutes=31)


async def email(api, **fields):
    answer = await api.post("/v1/channels", {"kind": "email"} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def code_in(mail):
    return re.search(r"\b\d{6}\b", mail.get_body(("plain",)).get_content())[0]


def link_in(mail):
    return re.search(r"https://haulier\.example(/v1/unsubscribe\S+)", mail.get_body(("plain",)).get_content())[1]


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


async def test_the_link_in_a_letter_asks_first_and_then_switches_off_its_channel_only(api, services, mails, vouched):
    channel, other = await email(api), await email(api, events=["job.failed"])
    async with running_couriers(services):
        await completed(services, await api.initiate())
        await over(api, channel)
    link = link_in(mails.mails[0])
    asked = await api.http.get(link, headers={"accept-language": "de-AT"})
    assert asked.status_code == 200
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert "Keine weiteren E-Mails" in asked.text
    assert (await api.get(f"/v1/channels/{channel['channel_id']}")).json()["status"] == "active"
    one_click = await api.http.post(link, data={"List-Unsubscribe": "One-Click"})
    assert one_click.status_code == 200
    found = (await api.get(f"/v1/channels/{channel['channel_id']}")).json()
    assert (found["status"], found["disabled_reason"]) == ("disabled", "switched off by the link in an e-mail")
    assert (await api.get(f"/v1/channels/{other['channel_id']}")).json()["status"] == "active"
    assert (await api.http.post(f"{link[:-4]}AAAA")).status_code == 404
    assert mails.mails[0]["List-Unsubscribe"] == f"<https://haulier.example{link}>"


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


async def test_the_kind_is_off_without_a_mail_server(services):
    settings = msgspec.structs.replace(services.settings, smtp_url=Secret())
    async with another_api(services, settings=settings) as api:
        answer = await api.post("/v1/channels", {"kind": "email", "address": VICTIM})
        assert (answer.status_code, answer.json()["code"]) == (404, "channel_kind_off")
        assert (await api.get("/v1/channel-kinds")).json()["email"]["offered"] is False
