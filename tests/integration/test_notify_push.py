"""Browser push to a push service on the loopback, read as the browser would."""

import msgspec
import pytest

from haulier.clock import SYSTEM_CLOCK
from haulier.job import Failure, Request
from haulier.notify.port import Delivered, GiveUp, TryAgain
from haulier.notify.push import message_of, open_push
from tests.browser import Browser, pushing, signed_claims, unpadded
from tests.builders import artefact
from tests.couriers import running_couriers
from tests.integration.api_steps import completed
from tests.loopback import Reply
from tests.notices import completed_job, notice
from tests.receiver import over, receiver


@pytest.fixture
def settings(settings):
    return pushing(settings)


async def push(api, browser, **fields):
    answer = await api.post("/v1/channels", {"kind": "push", "subscription": browser.subscription} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def told(browser, **fields):
    keys = browser.subscription["keys"]
    return notice(secret={"endpoint": browser.subscription["endpoint"], **keys}, **fields)


async def test_a_browser_reads_what_became_of_its_job_and_knows_who_sent_it(api, services):
    async with receiver(Reply(201)) as service, running_couriers(services, count=2):
        browser = Browser(service.url)
        channel = await push(api, browser, language="de")
        job_id = await api.initiate()
        await completed(services, job_id)
        assert (await over(api, channel))["status"] == "delivered"
        (seen,) = service.seen
        message = browser.read(seen.body)
        assert message["title"].startswith("Ihr Download")
        assert message["url"] == services.settings.page_url(job_id)
        assert (message["tag"], message["lang"]) == (f"haulier-{job_id}", "de")
        key = (await api.http.get("/v1/push-key")).json()["public_key"]
        claims = signed_claims(seen.headers["authorization"], public_key=key)
        assert claims["aud"] == service.url.removesuffix("/hook")
        assert claims["sub"] == "mailto:operator@haulier.example"
        assert 0 < claims["exp"] - SYSTEM_CLOCK.now().timestamp() <= 86_400
        assert seen.headers["topic"] == job_id.replace("-", "")
        assert seen.headers["ttl"] == "86400"
        assert seen.headers["content-encoding"] == "aes128gcm"
        assert b"70000" not in seen.body
        assert service.url not in channel["target"]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(201), Delivered(201)),
        (Reply(404), GiveUp("the browser is not subscribed any more", 404, disable=True)),
        (Reply(410), GiveUp("the browser is not subscribed any more", 410, disable=True)),
        (Reply(413), GiveUp("the push service answered 413", 413)),
        (
            Reply(429, headers={"Retry-After": "7"}),
            TryAgain("the push service answered 429", 429, after_s=7.0),
        ),
        (Reply(503), TryAgain("the push service answered 503", 503)),
        (Reply(401), GiveUp("the push service answered 401", 401, ours=True)),
        (Reply(302, headers={"Location": "http://127.0.0.1/"}), GiveUp("the push service answered 302", 302)),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_what_the_push_service_answers(settings, reply, verdict):
    async with receiver(reply) as service, open_push(settings, clock=SYSTEM_CLOCK) as sender:
        assert await sender.send(told(Browser(service.url))) == verdict
        assert len(service.seen) == 1


async def test_a_service_that_hangs_up_is_not_asked_twice_and_one_that_is_away_is(settings):
    async with open_push(settings, clock=SYSTEM_CLOCK) as sender:
        async with receiver(Reply(201, headers={"Content-Length": "x\r\nbad"})) as service:
            cut = await sender.send(told(Browser(service.url)))
            assert isinstance(cut, GiveUp)
            assert cut.unknown
        away = await sender.send(told(Browser(service.url)))
        assert away == TryAgain("no connection to the push service")


async def test_a_private_address_is_never_reached(settings):
    strict = msgspec.structs.replace(settings, channel_allow_private=False)
    async with receiver() as service, open_push(strict, clock=SYSTEM_CLOCK) as sender:
        assert isinstance(await sender.send(told(Browser(service.url))), GiveUp)
        localhost = Browser(service.url.replace("http://127.0.0.1", "https://localhost"))
        assert isinstance(await sender.send(told(localhost)), GiveUp)
        assert service.seen == []


def test_the_longest_message_fits(settings):
    job = completed_job(
        artefact=artefact(file_name="𝕏" * 500), error=Failure("x", "𝕏" * 5_000), request=Request(file_id=100_000_000)
    )
    message = message_of(notice(event="job.failed", job=job), settings=settings)
    assert len(message) < 3_900


BROWSER = Browser("https://push.example/x")


@pytest.mark.parametrize(
    ("pointer", "change"),
    [
        ("/subscription/endpoint", {"endpoint": "ftp://push.example/"}),
        ("/subscription/keys/p256dh", {"keys": {"p256dh": unpadded(b"\4" * 65), "auth": unpadded(b"a" * 16)}}),
        (
            "/subscription/keys/auth",
            {"keys": {"p256dh": BROWSER.subscription["keys"]["p256dh"], "auth": unpadded(b"a" * 15)}},
        ),
    ],
)
async def test_a_subscription_that_cannot_work_is_refused(api, pointer, change):
    answer = await api.post("/v1/channels", {"kind": "push", "subscription": BROWSER.subscription | change})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
