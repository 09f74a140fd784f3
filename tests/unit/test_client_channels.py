"""The client's calls about channels, and what the command line makes of their answers."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from haulier.cli.channels_view import print_channels, print_log, print_secret
from haulier.client import ApiError, Client, JobCancelled, Patience
from haulier.wire_channels import ChannelList, ChannelWithSecret, DeliveryPage
from tests.loopback import JOB, Loopback, answer, problem, status

CHANNEL = "0190a6c0-0000-7000-8000-0000000000c4"
DELIVERY = "0190a6c0-0000-7000-8000-0000000000de"
AT = "2026-11-25T10:00:00.000Z"
PATH = f"/v1/channels/{CHANNEL}"


def channel(**changes: Any) -> dict[str, Any]:
    return {
        "channel_id": CHANNEL,
        "kind": "webhook",
        "label": "alerts",
        "target": "https://example.com/…",
        "events": ["job.failed"],
        "every_job": True,
        "status": "active",
        "created_at": AT,
        "updated_at": AT,
    } | changes


def delivery(**changes: Any) -> dict[str, Any]:
    tried = {"number": 1, "at": AT, "outcome": "again", "answer": 500, "reason": "it answered 500", "duration_ms": 7}
    return {
        "delivery_id": DELIVERY,
        "channel_id": CHANNEL,
        "event": "job.failed",
        "at": AT,
        "status": "pending",
        "attempts": [tried],
        "next_attempt_at": AT,
    } | changes


@pytest.fixture
async def client(server: Loopback) -> AsyncGenerator[Client]:
    async with Client(server.url, token="t", patience=Patience(tries=2), sleep=_at_once) as client:
        yield client


async def _at_once(_seconds: float) -> None:
    """No pause between tries."""


async def test_a_webhook_is_added_once_however_often_it_is_asked_for(server: Loopback, client: Client) -> None:
    server.on("POST", "/v1/channels", problem(503, "unavailable"), answer(channel(secret="whsec_eA=="), code=201))
    made = await client.channels.add_webhook("https://example.com/hook", events=["job.failed"], label="alerts")
    assert made.secret == "whsec_eA=="
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1
    assert msgspec.json.decode(server.seen[1].body) == {
        "kind": "webhook",
        "url": "https://example.com/hook",
        "events": ["job.failed"],
        "every_job": True,
        "label": "alerts",
        "signature": "hmac",
    }


async def test_a_change_sends_what_is_given_only(server: Loopback, client: Client) -> None:
    server.on("PATCH", PATH, answer(channel(every_job=False)))
    assert not (await client.channels.change(CHANNEL, every_job=False)).every_job
    assert msgspec.json.decode(server.seen[0].body) == {"every_job": False}


async def test_the_other_calls_have_their_paths(server: Loopback, client: Client) -> None:
    server.on("GET", "/v1/channels", answer({"channels": [channel()], "limit": 20}))
    server.on("GET", PATH, answer(channel()))
    server.on("POST", f"{PATH}/rotate", answer(channel(secret="whsec_eA==")))
    server.on("POST", f"{PATH}/enable", answer(channel()))
    server.on("POST", f"{PATH}/test", answer(delivery(event="test"), code=202))
    server.on("GET", f"{PATH}/deliveries", answer({"deliveries": [delivery()], "limit": 5, "next_cursor": None}))
    server.on("POST", f"/v1/deliveries/{DELIVERY}/redeliver", answer(delivery(), code=202))
    server.on("DELETE", PATH, answer({"channel_id": CHANNEL, "removed": True}), problem(404, "channel_not_found"))
    channels = client.channels
    assert (await channels.all()).channels[0].channel_id == CHANNEL
    assert (await channels.get(CHANNEL)).label == "alerts"
    assert (await channels.rotate(CHANNEL)).secret
    assert (await channels.enable(CHANNEL)).status == "active"
    assert (await channels.test(CHANNEL)).event == "test"
    assert (await channels.deliveries(CHANNEL, status="pending", limit=5)).deliveries[0].attempts[0].answer == 500
    assert server.seen[-1].query == {"status": "pending", "limit": "5"}
    assert (await channels.redeliver(DELIVERY)).delivery_id == DELIVERY
    assert (await channels.remove(CHANNEL)).removed
    with pytest.raises(ApiError) as caught:
        await channels.remove(CHANNEL)
    assert caught.value.code == "channel_not_found"


async def test_a_job_is_asked_for_with_the_channels_that_are_told(
    server: Loopback, client: Client, tmp_path: Path
) -> None:
    server.on("POST", "/v1/download/initiate", answer(status()))
    await client.initiate(70_000, notify=[CHANNEL])
    await client.initiate(70_000, notify=[])
    assert [msgspec.json.decode(seen.body)["notify"] for seen in server.seen] == [[CHANNEL], []]
    assert (await client.initiate(70_000)).job_id == JOB
    assert "notify" not in msgspec.json.decode(server.seen[2].body)
    server.on("POST", "/v1/download/initiate", answer(status(status="cancelled")))
    with pytest.raises(JobCancelled):
        await client.download(70_000, to=tmp_path, notify=[CHANNEL])
    assert msgspec.json.decode(server.seen[3].body)["notify"] == [CHANNEL]


async def test_what_is_no_id_never_becomes_a_path(client: Client) -> None:
    for call in (client.channels.get, client.channels.redeliver):
        with pytest.raises(ValueError, match="is no id"):
            await call("../jobs")


def shape(value: Any, kind: type) -> Any:
    return msgspec.convert(value, kind)


def test_people_see_where_channels_lead_and_what_is_wrong_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    disabled = channel(status="disabled", disabled_at=AT, disabled_reason="it answered\x1b 410", every_job=False)
    print_channels(shape({"channels": [channel(), disabled], "limit": 20}, ChannelList))
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.split() == [CHANNEL, "webhook", "https://example.com/…", "failed", "active", "alerts"]
    assert "failed (named only)" in second
    assert "disabled: it answered" in second
    assert "\x1b" not in second
    print_channels(ChannelList((), 20))
    assert "add-webhook" in capsys.readouterr().err


def test_people_see_a_secret_once_and_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    print_secret(shape(channel(secret="whsec_eA=="), ChannelWithSecret))
    assert "secret      whsec_eA==\n" in capsys.readouterr().out
    print_log(shape({"deliveries": [delivery()], "limit": 20, "next_cursor": None}, DeliveryPage))
    assert f"500     it answered 500; next at {AT}" in capsys.readouterr().out


async def test_e_mail_and_apprise_channels_are_added_once_and_confirmed(client: Client, server: Loopback) -> None:
    server.on("POST", "/v1/channels", answer(channel(kind="email", status="unconfirmed"), code=201))
    server.on("POST", f"{PATH}/confirm", answer(channel(kind="email")))
    server.on("POST", f"{PATH}/code", answer(channel(kind="email", status="unconfirmed")))
    await client.channels.add_email("anna@example.org", language="de", events=["job.failed"])
    await client.channels.add_apprise(name="ops")
    await client.channels.add_apprise("slack://a/b/c")
    assert (await client.channels.confirm(CHANNEL, "123456")).status == "active"
    bodies = [msgspec.json.decode(seen.body) for seen in server.seen]
    assert bodies[0]["address"] == "anna@example.org"
    assert bodies[0]["events"] == ["job.failed"]
    assert ("url" in bodies[1], bodies[1]["name"]) == (False, "ops")
    assert ("name" in bodies[2], bodies[2]["url"]) == (False, "slack://a/b/c")
    assert bodies[3] == {"code": "123456"}
    assert len({seen.headers.get("idempotency-key") for seen in server.seen[:3]}) == 3
    assert (await client.channels.send_code(CHANNEL)).status == "unconfirmed"
