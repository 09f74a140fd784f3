"""E-mails of workers that are killed, and of several workers: never two of one outcome. And nothing secret anywhere."""

import re
import signal
from urllib.parse import quote

import httpx
import pytest

from haulier.destinations.vapid_keys import fresh_vapid_key
from haulier.failpoints import Point
from tests.browser import Browser
from tests.faults.fleet import fleet
from tests.loopback import Reply, loopback
from tests.mail_server import PASSWORD, USER, MailServer, running_mail_server
from tests.waiting import eventually

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning", "ignore:Session.login_data:DeprecationWarning"),
]

LATER_THAN_A_LEASE_S = 80
ADDRESS = "anna.secret@example.org"


def mail_settings(server: MailServer) -> dict[str, str]:
    login = f"{USER}:{quote(PASSWORD, safe='')}"
    return {
        "HAULIER_SMTP_URL": f"smtp://{login}@127.0.0.1:{server.port}?starttls=no",
        "HAULIER_MAIL_FROM": "Downloads <downloads@haulier.example>",
        "HAULIER_CHANNEL_ALLOW_PRIVATE": "true",
    }


async def settled(api: httpx.AsyncClient, path: str) -> list[str]:
    """The statuses of the channel's deliveries, the latest first, once none is to be sent any more."""

    async def look() -> list[str] | None:
        found = [each["status"] for each in (await api.get(f"{path}/deliveries")).json()["deliveries"]]
        return None if {"pending", "sending"} & set(found) else found

    return await eventually(look, within_s=30)


@pytest.mark.parametrize("moment", [Point.DELIVERY_SENT, "in the middle"])
async def test_a_worker_that_is_killed_sends_no_second_e_mail(tmp_path, moment):
    async with running_mail_server(login=True) as mails, fleet(tmp_path / "home", workers=0, apis=0) as house:
        settings = mail_settings(mails)
        async with house.api_of("anna", **settings) as api:
            made = (await api.post("/v1/channels", json={"kind": "email", "address": ADDRESS})).json()
            path = f"/v1/channels/{made['channel_id']}"
            mails.silent = moment == "in the middle"
            orders = [] if mails.silent else [f"{moment}=kill:1"]
            first = await house.start_worker(at=orders, **settings)
            if mails.silent:
                await eventually(lambda: mails.raw)
                first.send(signal.SIGKILL)
            await first.ended()
            mails.silent = False
            await house.later(LATER_THAN_A_LEASE_S)
            await house.start_worker(**settings)
            await house.start_worker(**settings)
            assert await settled(api, path) == ["unknown"]
            assert len(mails.raw) == 1


async def test_nothing_secret_is_in_logs_ledger_or_answers(tmp_path):
    vapid, token = fresh_vapid_key(), "s3cr3t-tok3n"
    async with (
        running_mail_server(login=True) as mails,
        loopback() as service,
        fleet(tmp_path / "home", workers=0, apis=0) as house,
    ):
        for path in (f"/{token}-mine", f"/{token}-ops", f"/{token}-push"):
            service.on("POST", path, Reply(500), Reply(201))
        host = service.url.removeprefix("http://")
        browser = Browser(f"{service.url}/{token}-push")
        settings = mail_settings(mails) | {
            "HAULIER_VAPID_KEY": vapid,
            "HAULIER_APPRISE_SERVICES": "json",
            "HAULIER_APPRISE_CHANNELS": f"ops=json://{host}/{token}-ops",
            "HAULIER_LOG_LEVEL": "debug",
        }
        async with house.api_of("anna", **settings) as api:
            await house.start_worker(**settings)
            wanted = [
                {"kind": "email", "address": ADDRESS},
                {"kind": "apprise", "url": f"json://{host}/{token}-mine"},
                {"kind": "apprise", "name": "ops"},
                {"kind": "push", "subscription": browser.subscription},
            ]
            answers = [await api.post("/v1/channels", json=body) for body in wanted]
            assert [answer.status_code for answer in answers] == [201] * 4
            paths = [f"/v1/channels/{answer.json()['channel_id']}" for answer in answers]
            await eventually(lambda: mails.raw)
            code = re.search(r"\b\d{6}\b", mails.mails[0].get_body(("plain",)).get_content())[0]
            answers.append(await api.post(f"{paths[0]}/confirm", json={"code": code}))
            answers += [await api.post(f"{path}/test") for path in paths]
            assert answers[-1].status_code == 202
            await eventually(lambda: len(mails.raw) == 2 and len(service.seen) >= 3, within_s=30)
            answers += [await api.get(f"{path}/deliveries") for path in paths]
            answers += [await api.get("/v1/channels"), await api.get("/v1/channel-kinds")]
            async with house.connection() as connection:
                tables = [row["relname"] for row in await connection.fetch("select relname from pg_stat_user_tables")]
                rows = [str(await connection.fetch(f"select t::text from {table} t")) for table in tables]
        logs = [path.read_text() for path in house.home.rglob("*.log")]
        assert logs
        everything = "\n".join([*logs, *rows, *(answer.text for answer in answers)])
        keys = browser.subscription["keys"]
        secrets = [PASSWORD, quote(PASSWORD, safe=""), vapid, token, ADDRESS, keys["auth"], keys["p256dh"]]
        assert [secret for secret in secrets if secret in everything] == []
        assert re.search(rf"(?<![0-9a-f.]){code}(?![0-9a-f])", everything) is None  # not as part of a time or an id
