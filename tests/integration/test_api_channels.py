"""Channels over the API: what a user may make of them, and what not."""

from dataclasses import replace

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from haulier.api.app import create_app
from haulier.destinations.webhook_keys import MOST_KEYS
from haulier.ledger import MOST_CHANNELS, SENDING_RATE
from haulier.sealing import channel_sealer
from haulier.settings import Secret
from tests.api_client import ApiClient
from tests.integration.api_steps import completed
from tests.receiver import log_of, webhook

URL = "https://hooks.example.com/services/T0/XXXX?key=y"
NOBODYS = "0190a6c0-0000-7000-8000-000000000001"


async def test_a_new_webhook_shows_its_secret_once_and_its_path_never(api, connection):
    made = await webhook(api, URL, label="alerts", events=["job.failed"])
    assert (made["kind"], made["target"], made["label"]) == ("webhook", "https://hooks.example.com/…", "alerts")
    assert (made["status"], made["events"], made["every_job"]) == ("active", ["job.failed"], True)
    Webhook(made["secret"])
    found = (await api.get("/v1/channels")).json()
    assert found == {"channels": [{k: v for k, v in made.items() if k != "secret"}], "limit": MOST_CHANNELS}
    row = repr(await connection.fetchrow("select * from channels"))
    assert "XXXX" not in row
    assert made["secret"] not in row


async def test_an_ed25519_webhook_shows_its_public_key(api):
    made = await webhook(api, URL, signature="ed25519")
    assert made["public_key"].startswith("whpk_")
    assert "secret" not in made


async def test_a_change_keeps_what_it_does_not_name(api):
    made = await webhook(api, URL, label="alerts")
    path = f"/v1/channels/{made['channel_id']}"
    changed = (await api.call("PATCH", path, json={"every_job": False, "events": ["job.failed", "job.failed"]})).json()
    assert (changed["label"], changed["every_job"], changed["events"]) == ("alerts", False, ["job.failed"])
    moved = (await api.call("PATCH", path, json={"url": "https://other.example.com/"})).json()
    assert moved["target"] == "https://other.example.com/"
    assert (await api.get(path)).json() == moved


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/kind"),
        ({"kind": "pigeon"}, "/kind"),
        ({"kind": ["webhook"]}, "/kind"),
        ([], "/kind"),
        ({"kind": "webhook"}, "body"),
        ({"kind": "webhook", "url": 5}, "/url"),
        ({"kind": "webhook", "url": ""}, "/url"),
        ({"kind": "webhook", "url": "http://example.com/"}, "/url"),
        ({"kind": "webhook", "url": "https://127.0.0.1/"}, "/url"),
        ({"kind": "webhook", "url": "https://a:b@example.com/"}, "/url"),
        ({"kind": "webhook", "url": URL, "events": []}, "/events"),
        ({"kind": "webhook", "url": URL, "events": ["job.started"]}, "/events/0"),
        ({"kind": "webhook", "url": URL, "label": "a\nb"}, "/label"),
        ({"kind": "webhook", "url": URL, "label": "a" * 101}, "/label"),
        ({"kind": "webhook", "url": URL, "signature": "rsa"}, "/signature"),
        ({"kind": "webhook", "url": URL, "secret": "mine"}, "body"),
    ],
)
async def test_what_is_wrong_with_a_new_channel_is_told(api, body, pointer):
    answer = await api.post("/v1/channels", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert (answer.json()["errors"][0]["pointer"] or "body") == pointer


async def test_half_a_character_is_refused_wherever_it_stands(api):
    path = f"/v1/channels/{(await webhook(api, URL))['channel_id']}"
    bodies = [
        ("POST", "/v1/channels", rb'{"kind": "webhook", "url": "https://example.com/", "label": "\ud800"}'),
        ("PATCH", path, rb'{"label": "\uDFFF"}'),
        ("POST", f"{path}/confirm", rb'{"code": "\ud800"}'),
    ]
    for method, where, content in bodies:
        answer = await api.call(method, where, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


async def test_other_users_channels_are_as_if_there_were_none_for_admins_too(api):
    made = await webhook(api, URL)
    path = f"/v1/channels/{made['channel_id']}"
    test = (await api.post(f"{path}/test")).json()
    for who in ({"user": "bob"}, {"user": "root", "role": "admin"}):
        assert (await api.get("/v1/channels", **who)).json()["channels"] == []
        for method, each, body in [
            ("GET", path, None),
            ("PATCH", path, {"label": "mine"}),
            ("DELETE", path, None),
            ("POST", f"{path}/rotate", None),
            ("POST", f"{path}/test", None),
            ("POST", f"{path}/enable", None),
            ("GET", f"{path}/deliveries", None),
        ]:
            answer = await api.call(method, each, **who, **({"json": body} if body else {}))
            assert (answer.status_code, answer.json()["code"]) == (404, "channel_not_found")
        answer = await api.post(f"/v1/deliveries/{test['delivery_id']}/redeliver", **who)
        assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")


@pytest.mark.parametrize("name", [NOBODYS, "nonsense", "%00", NOBODYS.replace("-", "")])
async def test_what_names_no_channel_finds_none(api, name):
    assert (await api.get(f"/v1/channels/{name}")).json()["code"] == "channel_not_found"
    assert (await api.post(f"/v1/deliveries/{name}/redeliver")).json()["code"] == "delivery_not_found"


async def test_the_same_key_and_body_make_one_channel_and_another_body_none(api):
    key = {"headers": {"Idempotency-Key": "k1"}}
    body = {"kind": "webhook", "url": URL}
    first = await api.post("/v1/channels", body, **key)
    again = await api.post("/v1/channels", body, **key)
    assert (first.status_code, again.json()) == (201, first.json())
    other = await api.post("/v1/channels", body | {"label": "x"}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await api.post("/v1/channels", body, user="bob", **key)).json()["channel_id"] != first.json()["channel_id"]


async def test_a_repeated_request_shows_the_secret_for_a_day(api, connection):
    key = {"headers": {"Idempotency-Key": "k1"}}
    body = {"kind": "webhook", "url": URL}
    first = (await api.post("/v1/channels", body, **key)).json()
    await connection.execute("update channels set created_at = created_at - interval '25 hours'")
    again = (await api.post("/v1/channels", body, **key)).json()
    assert (again["channel_id"], "secret" in again) == (first["channel_id"], False)


async def test_a_repeated_request_is_the_same_after_its_secret_was_changed(api):
    key = {"headers": {"Idempotency-Key": "k1"}}
    body = {"kind": "webhook", "url": URL}
    first = (await api.post("/v1/channels", body, **key)).json()
    await api.post(f"/v1/channels/{first['channel_id']}/rotate")
    again = await api.post("/v1/channels", body, **key)
    assert again.status_code == 201
    assert (again.json()["channel_id"], "secret" in again.json()) == (first["channel_id"], False)


async def test_a_secret_is_changed_so_often_a_day_that_none_ends_early(api):
    path = f"/v1/channels/{(await webhook(api, URL))['channel_id']}/rotate"
    assert [(await api.post(path)).status_code for _ in range(MOST_KEYS - 1)] == [200] * (MOST_KEYS - 1)
    refused = await api.post(path)
    assert (refused.status_code, refused.json()["code"]) == (429, "rotations_limited")
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400


async def test_there_are_so_many_channels_at_most(api):
    for _ in range(MOST_CHANNELS):
        await webhook(api, URL)
    answer = await api.post("/v1/channels", {"kind": "webhook", "url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_channels")


async def test_a_removed_channel_is_gone_with_its_deliveries(api, connection):
    made = await webhook(api, URL)
    path = f"/v1/channels/{made['channel_id']}"
    await api.post(f"{path}/test")
    assert (await api.call("DELETE", path)).json() == {"channel_id": made["channel_id"], "removed": True}
    assert (await api.call("DELETE", path)).status_code == 404
    assert await connection.fetchval("select count(*) from deliveries") == 0


async def test_tests_and_redeliveries_have_a_rate_of_their_own(api):
    made = await webhook(api, URL)
    path = f"/v1/channels/{made['channel_id']}/test"
    for _ in range(SENDING_RATE):
        assert (await api.post(path)).status_code == 202
    answer = await api.post(path)
    assert (answer.status_code, answer.json()["code"]) == (429, "sending_rate_limited")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    await api.initiate()


async def test_nothing_is_sent_to_a_disabled_channel_until_it_is_enabled(api, connection):
    made = await webhook(api, URL)
    path = f"/v1/channels/{made['channel_id']}"
    test = (await api.post(f"{path}/test")).json()
    await connection.execute("update channels set disabled_at = now(), disabled_reason = 'it answered 410'")
    for each in (f"{path}/test", f"/v1/deliveries/{test['delivery_id']}/redeliver"):
        answer = await api.post(each)
        assert (answer.status_code, answer.json()["code"]) == (409, "channel_disabled")
        assert "it answered 410" in answer.json()["detail"]
    assert (await api.post(f"{path}/enable")).json()["status"] == "active"
    assert (await api.post(f"{path}/test")).status_code == 202


async def test_the_log_goes_on_page_by_page(api):
    made = await webhook(api, URL)
    path = f"/v1/channels/{made['channel_id']}"
    sent = [(await api.post(f"{path}/test")).json()["delivery_id"] for _ in range(5)]
    seen, query = [], "?limit=2"
    while query:
        answer = await api.get(f"{path}/deliveries{query}")
        seen += [each["delivery_id"] for each in answer.json()["deliveries"]]
        cursor = answer.json()["next_cursor"]
        query = f"?limit=2&cursor={cursor}" if cursor else ""
        assert ("link" in answer.headers) == bool(cursor)
    assert seen == sent[::-1]
    assert await log_of(api, made, params={"status": "delivered"}) == []


@pytest.mark.parametrize("query", ["?limit=0", "?cursor=abc", "?status=lost", "?cursor=" + "A" * 64])
async def test_a_wrong_question_about_the_log_is_refused(api, query):
    made = await webhook(api, URL)
    answer = await api.get(f"/v1/channels/{made['channel_id']}/deliveries{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


# ---- notify


@pytest.mark.parametrize(
    ("notify", "pointer"),
    [
        ([NOBODYS], "/notify/0"),
        (["nonsense"], "/notify/0"),
        (["\0"], "/notify/0"),
        ([5], "/notify/0"),
        ("x", "/notify"),
        ([NOBODYS] * 2, "/notify"),
        ([NOBODYS] * 21, "/notify"),
    ],
)
@pytest.mark.parametrize("wanted", [{"file_id": 70_000}, {"file_ids": [70_000, 70_001], "mode": "jobs"}])
async def test_what_is_no_channel_of_the_caller_starts_nothing(api, connection, notify, pointer, wanted):
    answer = await api.post("/v1/download/initiate", wanted | {"notify": notify})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert await connection.fetchval("select count(*) from jobs") == 0


async def test_someone_elses_channel_is_none(api):
    bobs = await webhook(api, URL, user="bob")
    answer = await api.post("/v1/download/initiate", {"file_id": 70_000, "notify": [bobs["channel_id"]]})
    assert answer.json()["errors"] == [{"pointer": "/notify/0", "detail": "is no channel of yours"}]


async def test_a_channel_that_is_off_cannot_be_named(api, connection):
    named = (await webhook(api, URL))["channel_id"]
    await connection.execute("update channels set disabled_at = now(), disabled_reason = 'x'")
    answer = await api.post("/v1/download/initiate", {"file_id": 70_000, "notify": [named]})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"pointer": "/notify/0", "detail": "is disabled: nothing is delivered to it"}]
    assert (await api.post(f"/v1/channels/{named}/enable")).status_code == 200
    answer = await api.post("/v1/download/initiate", {"file_id": 70_000, "notify": [named]})
    assert answer.status_code == 200


async def test_a_job_tells_the_channel_that_its_request_names(api, services):
    quiet, loud = await webhook(api, URL, every_job=False), await webhook(api, URL)
    answer = await api.post("/v1/download/initiate", {"file_id": 70_000, "notify": [quiet["channel_id"]]})
    await completed(services, answer.json()["job_id"])
    (delivery,) = await log_of(api, quiet)
    assert (delivery["event"], delivery["job_id"]) == ("job.completed", answer.json()["job_id"])
    assert await log_of(api, loud) == []


# ---- without a key


@pytest.fixture
def without_key(services):
    """The API's services as where tokens come from a JWKS and no key is set."""
    settings = msgspec.structs.replace(services.settings, jwt_secret=Secret())
    return replace(services, sealer=channel_sealer(settings))


async def test_without_a_key_there_are_no_channels(without_key, services):
    transport = httpx.ASGITransport(create_app(without_key))
    async with httpx.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
        api = ApiClient(http, secret=services.settings.jwt_secret)
        for answer in (await api.get("/v1/channels"), await api.post("/v1/channels", {"kind": "webhook", "url": URL})):
            assert (answer.status_code, answer.json()["code"]) == (404, "channels_off")
            assert "HAULIER_CHANNEL_KEY" in answer.json()["detail"]
