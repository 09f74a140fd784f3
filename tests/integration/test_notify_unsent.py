"""Letters that certainly were not sent: a deploy loses none of them, and lack of room counts against nobody."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from haulier.notify import courier as module
from haulier.notify import email as email_module
from haulier.settings import Secret
from tests.couriers import running_couriers
from tests.integration.api_steps import completed
from tests.integration.mail_steps import email, mails, settings, vouched
from tests.receiver import log_of, over
from tests.waiting import eventually

__all__ = ["mails", "settings", "vouched"]  # fixtures


@pytest.fixture
async def mute():
    """A mail server that lets in and never greets: its port and who came."""
    visitors = []

    async def stay(_reader, writer):
        visitors.append(writer)
        await writer.wait_closed()

    async with await asyncio.start_server(stay, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], visitors
        for writer in visitors:
            writer.close()


async def test_a_letter_that_waits_for_the_mail_server_at_shutdown_is_sent_by_the_next_worker(
    api, services, vouched, mails, mute
):
    port, visitors = mute
    channel = await email(api)
    await completed(services, await api.initiate())
    silent = msgspec.structs.replace(services.settings, smtp_url=Secret(f"smtp://127.0.0.1:{port}?starttls=no"))
    async with running_couriers(replace(services, settings=silent), grace_s=0.05):
        await eventually(lambda: visitors)
    (waiting,) = await log_of(api, channel)
    assert (waiting["status"], waiting["attempts"]) == ("pending", [])
    async with running_couriers(services):
        assert (await over(api, channel))["status"] == "delivered"
    assert len(mails.raw) == 1


async def test_letters_that_find_no_free_connection_are_sent_later_and_have_not_failed(
    api, services, vouched, mails, monkeypatch
):
    monkeypatch.setattr(email_module, "CONNECTIONS", 1)
    monkeypatch.setattr(email_module, "ROOM_S", 0.01)
    monkeypatch.setattr(module, "BUSY", timedelta(seconds=0.05))
    channel = await email(api)
    for file_id in range(70_000, 70_004):
        await completed(services, await api.initiate(file_id))

    async def all_sent():
        return {each["status"] for each in await log_of(api, channel)} == {"delivered"}

    async with running_couriers(services):
        await eventually(all_sent)
    assert [len(each["attempts"]) for each in await log_of(api, channel)] == [1] * 4
    assert (await api.get(f"/v1/channels/{channel['channel_id']}")).json()["status"] == "active"
    assert len(mails.raw) == 4
