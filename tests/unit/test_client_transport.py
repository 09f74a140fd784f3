"""What goes between the client and the wire: tokens, waits, and answers that cannot be read."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

import httpx
import pytest

from haulier.client import BadToken, Client, ClientError, Patience, UnexpectedAnswer, Unreachable
from haulier.client.transport import Transport, reason, retry_after
from tests.clocks import HandClock
from tests.loopback import JOB, Loopback, Reply, answer, loopback, status

STATUS = f"/v1/download/status/{JOB}"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncGenerator[Loopback]:
    async with loopback() as running:
        running.on("GET", STATUS, answer(status()))
        yield running


def client_of(server: Loopback, *, token: str = "t") -> Client:
    return Client(server.url, token=token, patience=Patience(tries=1))


async def test_white_space_around_a_token_is_none_of_it(server: Loopback) -> None:
    async with client_of(server, token=" secret-token\n") as client:
        await client.status(JOB)
    assert server.seen[0].headers["authorization"] == "Bearer secret-token"


@pytest.mark.parametrize("token", ["", "geheim\nes", "geheim es", "geheim-ä"])
async def test_a_token_that_is_none_is_neither_sent_nor_told(server: Loopback, token: str) -> None:
    async with client_of(server, token=token) as client:
        for call in (client.status(JOB), anext(client.follow_all())):
            with pytest.raises(BadToken) as caught:
                await call
            assert "geheim" not in str(caught.value)
    assert server.seen == []


def test_what_could_not_be_sent_is_not_told() -> None:
    assert "secret" not in reason(httpx.LocalProtocolError("Illegal header value b'Bearer secret'"))


async def test_what_cannot_be_sent_is_not_tried_again(server: Loopback) -> None:
    pauses: list[float] = []
    transport = Transport(
        server.url,
        token="t",
        patience=Patience(),
        rng=Random(1),
        timeout_s=30,
        on_wait=lambda _why, wait_s: pauses.append(wait_s),
    )
    with pytest.raises(Unreachable, match="cannot be sent"):
        await transport.request("GET", "/", headers={"Last-Event-ID": "a\nb"})
    await transport.aclose()
    assert pauses == []


async def test_a_body_that_cannot_be_unpacked_is_an_unexpected_answer(server: Loopback) -> None:
    broken = gzip.compress(b"{}")[:-9] + b"123456789"
    for code in (200, 400):
        server.on("GET", STATUS, Reply(code, broken, {"Content-Encoding": "gzip"}))
        async with client_of(server) as client:
            with pytest.raises(UnexpectedAnswer):
                await client.status(JOB)


@pytest.mark.parametrize("reply", [Reply(200, b"\xff"), Reply(200, b"[]"), Reply(500, b"oops"), Reply(302)])
async def test_every_answer_that_is_none_is_a_client_error(server: Loopback, reply: Reply) -> None:
    server.on("GET", STATUS, reply)
    async with client_of(server) as client:
        with pytest.raises(ClientError):
            await client.status(JOB)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": format_datetime(NOON.replace(minute=2), usegmt=True)}, 120),
        ({"Retry-After": format_datetime(NOON.replace(hour=11), usegmt=True)}, 0),
        (
            {
                "Retry-After": format_datetime(NOON.replace(hour=9, minute=1), usegmt=True),
                "Date": format_datetime(NOON.replace(hour=9), usegmt=True),
            },
            60,
        ),
        ({"Retry-After": format_datetime(NOON.replace(minute=1), usegmt=True), "Date": "lately"}, 60),
        ({"Retry-After": "9" * 5_000}, 1e9),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Response(503, headers=headers), clock=HandClock(NOON)) == seconds


def test_the_wait_stays_what_it_is_however_long_an_outage_lasts() -> None:
    patience = Patience(tries=10**9)
    waits = [patience.wait_s(tries, rng=Random(1)) for tries in (1, 2, 20, 1_025, 10**6)]
    assert all(wait is not None and wait <= 12 for wait in waits)
    assert [round(wait or 0) for wait in waits[2:]] == [round(waits[2] or 0)] * 3


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://nowhere.invalid", "its host has no address"),  # RFC 6761
        ("http://127.0.0.1:9", "nothing listens there"),
    ],
)
async def test_why_there_is_no_connection_is_told_in_words(url: str, words: str) -> None:
    async with Client(url, token="t", patience=Patience(tries=1)) as client:
        with pytest.raises(Unreachable, match=words):
            await client.status(JOB)


async def test_what_speaks_no_tls_is_told_as_such() -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await test_why_there_is_no_connection_is_told_in_words(url, "no TLS is spoken there")
