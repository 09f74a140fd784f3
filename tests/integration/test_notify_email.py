"""E-mail through a real server: how each way to go wrong is told."""

import asyncio
import socket
from urllib.parse import quote

import pytest

from haulier.cli.diagnosis import Mark
from haulier.cli.diagnosis_mail import mail
from haulier.clock import SYSTEM_CLOCK
from haulier.destinations.smtp_url import smtp_server
from haulier.notify.email import EmailSender
from haulier.notify.port import Busy, Delivered, GiveUp, TryAgain
from haulier.settings import Secret, load
from tests.mail_server import PASSWORD, USER, certificates, running_mail_server
from tests.notices import desk, notice, page
from tests.waiting import eventually

# The test server's own opinions.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Requiring AUTH:UserWarning", "ignore:Session.login_data:DeprecationWarning"
)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("mail"))


def sender(url, **options):
    return EmailSender(smtp_server(url), desk=desk(), clock=SYSTEM_CLOCK, **options)


async def test_a_letter_arrives_with_both_parts_and_a_dot_at_a_lines_beginning():
    async with running_mail_server() as server:
        told = notice()
        assert await sender(f"smtp://127.0.0.1:{server.port}?starttls=no").send(told) == Delivered(250)
    (mail,) = server.mails
    assert mail["To"] == "anna@example.org"
    assert page(told.job.id) in mail.get_body(("plain",)).get_content()
    assert mail.get_body(("html",)) is not None


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_tls_and_login(contexts, scheme):
    ours, trusted = contexts
    async with running_mail_server(
        tls=scheme == "smtps", starttls=scheme == "smtp", login=True, certificate=ours
    ) as server:
        url = f"{scheme}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}"
        assert await sender(url, trusted=trusted).send(notice()) == Delivered(250)
        wrong = f"{scheme}://{USER}:wrong@127.0.0.1:{server.port}"
        refused = await sender(wrong, trusted=trusted).send(notice())
        assert refused == TryAgain("the mail server refuses our login", 535, ours=True)
        stranger = await sender(url).send(notice())
        assert isinstance(stranger, TryAgain)
        assert "TLS" in stranger.reason
    assert len(server.raw) == 1


async def test_a_login_never_goes_to_a_server_without_starttls():
    async with running_mail_server(login=True) as server:
        verdict = await sender(f"smtp://{USER}:secret@127.0.0.1:{server.port}").send(notice())
    assert isinstance(verdict, TryAgain)
    assert "STARTTLS" in verdict.reason


@pytest.mark.parametrize(
    ("at", "reply", "verdict"),
    [
        ("mail", "451 later", TryAgain("the mail server refuses our sender", 451, ours=True)),
        ("rcpt", "450 4.2.1 greylisted", TryAgain("the mail server puts the e-mail off", 450)),
        ("data", "452 full", TryAgain("the mail server puts the e-mail off", 452)),
        ("mail", "550 5.1.2 unknown domain", TryAgain("the mail server refuses our sender", 550, ours=True)),
        ("rcpt", "421 4.7.0 closing", TryAgain("the mail server refuses us", 421, ours=True)),
        ("rcpt", "530 5.7.0 log in first", TryAgain("the mail server refuses us", 530, ours=True)),
        ("rcpt", "550 5.7.1 policy", GiveUp("the mail server refuses the e-mail", 550)),
        ("rcpt", "550 5.1.1 unknown", GiveUp("there is no such mailbox", 550, disable=True)),
        ("data", "554 5.6.0 spam", GiveUp("the mail server refuses the e-mail", 554)),
    ],
)
async def test_a_reply_4xx_is_for_now_and_5xx_for_good(at, reply, verdict):
    async with running_mail_server() as server:
        setattr(server, at, reply)
        assert await sender(f"smtp://127.0.0.1:{server.port}?starttls=no").send(notice()) == verdict
    assert server.raw == []


@pytest.mark.parametrize("fault", ["drops", "silent"])
async def test_silence_after_data_is_never_sent_twice(fault):
    async with running_mail_server() as server:
        setattr(server, fault, True)
        # Longer than a busy machine takes for the replies before the silence.
        verdict = await sender(f"smtp://127.0.0.1:{server.port}?starttls=no", timeout_s=3).send(notice())
    assert isinstance(verdict, GiveUp)
    assert verdict.unknown
    assert len(server.raw) == 1


async def test_a_server_that_is_away_is_tried_again():
    async with running_mail_server() as server:
        port = server.port
    assert await sender(f"smtp://127.0.0.1:{port}?starttls=no").send(notice()) == TryAgain(
        "the mail server cannot be reached", ours=True
    )


async def test_a_server_that_says_nothing_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        verdict = await sender(f"smtp://127.0.0.1:{port}?starttls=no", timeout_s=0.2).send(notice())
    assert verdict == TryAgain("the mail server is too slow", ours=True)


async def test_a_send_that_is_cancelled_leaves_no_connection():
    async with running_mail_server() as server:
        server.silent = True
        sending = asyncio.create_task(sender(f"smtp://127.0.0.1:{server.port}?starttls=no").send(notice()))
        await eventually(lambda: server.raw)
        sending.cancel()
        await asyncio.wait({sending})
        assert sending.cancelled()


@pytest.mark.parametrize(
    ("password", "mark", "text"),
    [
        (quote(PASSWORD, safe=""), Mark.GOOD, "the mail server answers without encryption and takes our login"),
        ("wrong", Mark.BAD, "the mail server refuses our login"),
    ],
)
async def test_doctor_knocks_and_sends_nothing(password, mark, text):
    async with running_mail_server(login=True) as server:
        url = Secret(f"smtp://{USER}:{password}@127.0.0.1:{server.port}?starttls=no")
        (finding,) = await mail(load({}, smtp_url=url, mail_from="a@b.c"), SYSTEM_CLOCK)
    assert (finding.mark, finding.text) == (mark, text)
    assert password not in finding.advice
    assert server.raw == []


@pytest.mark.parametrize("secret", [{}, {"code": "123456", "code_ends": "2026-11-23T10:00:00.000Z"}])
async def test_a_code_that_is_of_no_use_any_more_is_not_mailed(secret):
    async with running_mail_server() as server:
        told = notice(event="confirm", job=None, secret={"address": "a@b.c"} | secret)
        assert isinstance(await sender(f"smtp://127.0.0.1:{server.port}?starttls=no").send(told), GiveUp)
    assert server.raw == []


async def test_more_letters_than_connections_wait_or_come_back_later(monkeypatch):
    monkeypatch.setattr("haulier.notify.email.CONNECTIONS", 1)
    monkeypatch.setattr("haulier.notify.email.ROOM_S", 0.05)
    async with running_mail_server() as server:
        server.silent = True
        one = sender(f"smtp://127.0.0.1:{server.port}?starttls=no")
        first = asyncio.create_task(one.send(notice()))
        await eventually(lambda: server.raw)
        assert await one.send(notice()) == Busy()
        first.cancel()
        await asyncio.wait({first})
        server.silent = False
        assert await one.send(notice()) == Delivered(250)
