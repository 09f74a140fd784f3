"""Tickets: good once, briefly, and never in clear where others could read them."""

import asyncio

import msgspec
import pytest

from haulier.api.auth import Caller
from haulier.api.live import tickets as module
from haulier.api.live.tickets import MOST_IN_WINDOW, Tickets, open_tickets
from haulier.clock import SYSTEM_CLOCK
from haulier.errors import EngineUnavailable, Unauthenticated
from haulier.limits import Role
from haulier.settings import Secret
from tests.integration.engine_steps import opened


@pytest.fixture
def patient(monkeypatch):
    """Redis may take its time: how long it may is not what the test is about."""
    monkeypatch.setattr(module, "ANSWER_S", 20)
    monkeypatch.setattr(module, "SOCKET_TIMEOUT_S", 20)
    monkeypatch.setattr("haulier.redis_client.CONNECT_TIMEOUT_S", 20)


@pytest.fixture
async def tickets(settings, patient):
    async with open_tickets(settings, clock=SYSTEM_CLOCK) as tickets:
        yield tickets


def caller(*, for_s=600.0):
    return Caller("anna", Role.PREMIUM, SYSTEM_CLOCK.now().timestamp() + for_s)


async def test_a_ticket_counts_once_even_if_all_come_at_the_same_time(tickets):
    anna = caller()
    ticket = await tickets.issue(anna)
    found = await asyncio.gather(*(tickets.redeem(ticket.ticket) for _ in range(20)), return_exceptions=True)
    assert [each for each in found if not isinstance(each, Unauthenticated)] == [anna]


async def test_redis_holds_a_digest_for_thirty_seconds(tickets, settings):
    ticket = await tickets.issue(caller())
    async with opened(settings.redis_url.reveal()) as client:
        keys = [key async for key in client.scan_iter(f"{settings.redis_prefix}:ticket*")]
        assert len(keys) == 2
        assert ticket.ticket not in str(keys)
        assert all([0 < await client.pttl(key) <= 60_000 for key in keys])
        (key,) = [key for key in keys if b":ticket:" in (key if isinstance(key, bytes) else key.encode())]
        assert await client.pttl(key) <= 30_000


async def test_it_does_not_outlive_its_token(tickets):
    ticket = await tickets.issue(caller(for_s=0.05))
    await asyncio.sleep(0.06)
    with pytest.raises(Unauthenticated):
        await tickets.redeem(ticket.ticket)


@pytest.mark.parametrize("text", ["", "x", "é" * 43, "a" * 43, "a" * 9_000])
async def test_what_is_no_ticket_opens_nothing(tickets, text):
    with pytest.raises(Unauthenticated):
        await tickets.redeem(text)


@pytest.mark.usefixtures("patient")
async def test_a_user_gets_so_many_a_minute(api):
    answers = await asyncio.gather(*(api.post("/v1/tickets") for _ in range(MOST_IN_WINDOW + 1)))
    (refused,) = [answer for answer in answers if answer.status_code != 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tickets")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert (await api.post("/v1/tickets", user="bob")).status_code == 200


async def test_without_redis_there_are_none(settings):
    away = msgspec.structs.replace(settings, redis_url=Secret("redis://127.0.0.1:1/0"))
    async with open_tickets(away, clock=SYSTEM_CLOCK) as tickets:
        with pytest.raises(EngineUnavailable):
            await tickets.issue(caller())
        with pytest.raises(EngineUnavailable):
            await tickets.redeem("a" * 43)


async def test_with_a_redis_that_is_mute_the_answer_does_not_wait_for_a_connection_and_then_for_redis(monkeypatch):
    class Mute:
        async def eval(self, *_):
            await asyncio.Event().wait()

        async def getdel(self, _):
            await asyncio.Event().wait()

    monkeypatch.setattr(module, "ANSWER_S", 0.01)
    tickets = Tickets(Mute(), prefix="{mute}", clock=SYSTEM_CLOCK)
    for asking in (tickets.issue(caller()), tickets.redeem("a" * 43)):
        with pytest.raises(EngineUnavailable):
            await asking
