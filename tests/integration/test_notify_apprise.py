"""What apprise sends, to a service on the loopback."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest
from apprise.plugins.slack import NotifySlack

from haulier.notify.apprise import AppriseSender, open_apprise
from haulier.notify.port import Busy, Delivered, GiveUp, TryAgain
from haulier.settings import Secret
from tests.builders import artefact
from tests.couriers import another_api, running_couriers
from tests.integration.api_steps import completed
from tests.loopback import Reply, loopback
from tests.notices import completed_job, notice
from tests.receiver import log_of, over
from tests.waiting import eventually

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
URL = f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/"
HOOK = f"/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"


@pytest.fixture
async def slack(monkeypatch):
    """Slack on the loopback."""
    async with loopback() as server:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/services")
        server.on("POST", HOOK, Reply(200, b"ok"))
        yield server


def told(**fields):
    return notice(secret={"url": URL}, **fields)


async def test_a_message_arrives_once_and_nothing_secret_is_shown(api, services, slack, caplog):
    caplog.set_level(logging.DEBUG)
    answer = await api.post("/v1/channels", {"kind": "apprise", "url": URL})
    assert answer.status_code == 201, answer.text
    channel = answer.json()
    assert channel["target"] == "slack://T...2/A...D/T...Q"
    job_id = await api.initiate()
    async with running_couriers(services, count=2):
        await completed(services, job_id)
        assert (await over(api, channel))["status"] == "delivered"
    (seen,) = slack.to(HOOK)
    assert services.settings.page_url(job_id) in seen.body.decode()
    assert SECRET not in caplog.text
    assert SECRET not in answer.text


async def test_a_file_name_gives_no_orders(settings, slack):
    async with open_apprise(settings) as sender:
        job = completed_job(artefact=artefact(file_name="<!everyone> @here.zip"))
        assert await sender.send(told(job=job)) == Delivered(200)
    text = str(msgspec.json.decode(slack.to(HOOK)[0].body))
    assert "<!" not in text
    assert "@here" not in text


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(503), TryAgain("the service answered 503", 503)),
        (Reply(429), TryAgain("the service answered 429", 429)),
        (Reply(404), GiveUp("the service answered 404: the place is gone", 404, disable=True)),
        (Reply(403), GiveUp("the service answered 403", 403)),
        (Reply(302, headers={"Location": "/elsewhere"}), None),
        (Reply(200, b"no"), None),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_what_may_have_been_taken_is_not_sent_again(settings, slack, reply, verdict):
    slack.on("POST", HOOK, reply)
    doubt = GiveUp("the service did not say whether it took the message", unknown=True)
    async with open_apprise(settings) as sender:
        assert await sender.send(told()) == (verdict or doubt)
    assert len(slack.seen) == 1


async def test_a_service_that_is_away_is_tried_again(settings, monkeypatch):
    async with loopback() as server:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/services")
    async with open_apprise(settings) as sender:
        assert await sender.send(told()) == TryAgain("the service cannot be reached")


async def test_threads_that_hang_hold_up_nobody_for_long(settings, monkeypatch):
    free = threading.Event()
    monkeypatch.setattr("haulier.notify.apprise._sent", lambda *_: free.wait(20) and Delivered())
    monkeypatch.setattr("haulier.notify.apprise.ROOM_S", 0.05)
    monkeypatch.setattr("haulier.notify.apprise.THREADS", 1)
    with ThreadPoolExecutor(1) as pool:
        sender = AppriseSender(pool, settings=settings, timeout_s=0.05)

        async def hangs():
            """Whether the message is in doubt; it is not while the thread has not begun to send it."""
            verdict = await sender.send(told())
            assert verdict == Busy() or (isinstance(verdict, GiveUp) and verdict.unknown)
            return verdict != Busy()

        await eventually(hangs)
        assert await sender.send(told()) == Busy()
        free.set()


async def test_the_operators_places_are_chosen_by_name_and_follow_the_settings(services, slack):
    places = Secret(f"ops={URL} night:admin=pover://{'u' * 30}@{'t' * 30}")
    settings = msgspec.structs.replace(services.settings, apprise_channels=places)
    async with another_api(services, settings=settings) as api:
        kinds = (await api.get("/v1/channel-kinds")).json()["apprise"]
        assert kinds["names"] == ["ops"]
        assert {"schema": "slack", "title": "Slack"} in kinds["services"]
        assert (await api.get("/v1/channel-kinds", role="admin")).json()["apprise"]["names"] == ["ops", "night"]
        added = await api.post("/v1/channels", {"kind": "apprise", "name": "ops"})
        assert (added.status_code, added.json()["target"]) == (201, "ops")
        refused = await api.post("/v1/channels", {"kind": "apprise", "name": "night"})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/name")
    async with open_apprise(settings) as sender:
        assert await sender.send(notice(secret={"name": "ops"})) == Delivered(200)
        assert isinstance(await sender.send(notice(secret={"name": "night"})), GiveUp)
    async with open_apprise(services.settings) as sender:
        gone = await sender.send(notice(secret={"name": "ops"}))
        assert gone == TryAgain("the operator does not offer this place any more, or not yet", ours=True)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(503), TryAgain("the service answered 503", 503, ours=True)),
        (Reply(404), GiveUp("the service answered 404: the place is gone", 404, ours=True)),
    ],
    ids=["503", "404"],
)
async def test_what_is_wrong_with_the_operators_place_is_nothing_against_users_channels(
    settings, slack, reply, verdict
):
    slack.on("POST", HOOK, reply)
    settings = msgspec.structs.replace(settings, apprise_channels=Secret(f"ops={URL}"))
    async with open_apprise(settings) as sender:
        assert await sender.send(notice(secret={"name": "ops"})) == verdict


async def test_a_place_of_other_roles_gets_no_test_either(services, connection):
    settings = msgspec.structs.replace(services.settings, apprise_channels=Secret(f"night:admin={URL}"))
    async with another_api(services, settings=settings) as api:
        made = await api.post("/v1/channels", {"kind": "apprise", "name": "night"}, role="admin")
        path = f"/v1/channels/{made.json()['channel_id']}/test"
        test = (await api.post(path, role="admin")).json()["delivery_id"]
        await connection.execute("update deliveries set status = 'failed', due_at = null, ended_at = now()")
        refused = [await api.post(path), await api.post(f"/v1/deliveries/{test}/redeliver")]
        assert [each.json()["code"] for each in refused] == ["channel_disabled"] * 2


async def test_a_worker_that_does_not_know_a_place_yet_leaves_it_to_one_that_does(services, slack):
    settings = msgspec.structs.replace(services.settings, apprise_channels=Secret(f"ops={URL}"))
    async with another_api(services, settings=settings) as api:
        channel = (await api.post("/v1/channels", {"kind": "apprise", "name": "ops"})).json()
        await api.post(f"/v1/channels/{channel['channel_id']}/test")
        async with running_couriers(services):
            await eventually(lambda: tried(api, channel))
        (waits,) = await log_of(api, channel)
        assert (waits["status"], (await api.get(f"/v1/channels/{channel['channel_id']}")).json()["status"]) == (
            "pending",
            "active",
        )
        await api.post(f"/v1/deliveries/{waits['delivery_id']}/redeliver")
        async with running_couriers(replace(services, settings=settings)):
            assert (await over(api, channel))["status"] == "delivered"


async def tried(api, channel):
    return (await log_of(api, channel))[0]["attempts"]


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/x",
        "ntfys://10.0.0.1/topic",
        "mailto://user:pass@example.com",
        f"{URL}?template=/etc/passwd",
        f"{URL}?verify=no",
        f"{URL}?retry=5",
        f"{URL}?+header=x",
        f"{URL}?:token=x",
        f"{URL}?to=a,b,c,d,e,f",
        "slack://",
        "slack",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/x",
        f"{URL} ",
    ],
)
async def test_a_url_that_could_lead_elsewhere_is_refused(api, url):
    answer = await api.post("/v1/channels", {"kind": "apprise", "url": url})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/url"), answer.text
    assert SECRET not in answer.text


async def test_a_service_that_is_not_allowed_any_more_is_not_used(settings):
    settings = msgspec.structs.replace(settings, apprise_services="discord")
    async with open_apprise(settings) as sender:
        verdict = await sender.send(told())
    assert verdict == TryAgain("the operator does not allow this service any more, or not yet", ours=True)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # one of apprise's 130 plugins
async def test_what_the_operator_allows_besides_can_lead_anywhere(settings):
    settings = msgspec.structs.replace(settings, apprise_services="json")
    async with loopback() as server, open_apprise(settings) as sender:
        server.on("POST", "/hook", Reply(200))
        url = f"json://{server.url.removeprefix('http://')}/hook"
        assert await sender.send(notice(secret={"url": url})) == Delivered(200)
    assert "photos.zip" in msgspec.json.decode(server.seen[0].body)["title"]
