"""What tests of e-mail channels share: a mail server behind the API, and steps from a channel to its letters."""

import re

import msgspec
import pytest

from haulier.api.auth import Caller
from haulier.limits import Role
from haulier.settings import Secret
from tests.couriers import running_couriers
from tests.integration.api_steps import completed
from tests.mail_server import running_mail_server
from tests.waiting import eventually


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


async def email(api, **fields):
    answer = await api.post("/v1/channels", {"kind": "email"} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def code_in(mail):
    return re.search(r"\b\d{6}\b", mail.get_body(("plain",)).get_content())[0]


def link_in(mail):
    return re.search(r"https://haulier\.example(/v1/unsubscribe\S+)", mail.get_body(("plain",)).get_content())[1]


async def confirmed(api, services, mails, **fields):
    """A channel whose receiver confirmed it and got a letter: its path and the letter's link."""
    channel = await email(api, address="anna@example.org", **fields)
    path = f"/v1/channels/{channel['channel_id']}"
    before = len(mails.raw)
    async with running_couriers(services):
        await eventually(lambda: len(mails.raw) > before)
        answer = await api.post(f"{path}/confirm", {"code": code_in(mails.mails[-1])})
        assert answer.json()["status"] == "active"
        await completed(services, await api.initiate())
        await eventually(lambda: len(mails.raw) > before + 1)
    return path, link_in(mails.mails[-1])


async def mailed(services, mails):
    """The next letter that is to be sent."""
    before = len(mails.raw)
    async with running_couriers(services):
        await eventually(lambda: len(mails.raw) > before)
    return mails.mails[-1]
