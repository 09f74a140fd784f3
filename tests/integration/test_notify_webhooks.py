"""Webhooks from a job's end to a receiver on the loopback, through real servers and couriers."""

import asyncio
import base64
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from haulier import __version__, addresses
from haulier.clock import SYSTEM_CLOCK
from haulier.notify import Courier, open_senders
from haulier.notify import webhook as sending
from haulier.notify.schedule import PAUSE_JITTER
from haulier.sealing import channel_sealer
from haulier.settings import Secret
from tests.integration.api_steps import completed, failed
from tests.loopback import Reply, refusing
from tests.receiver import log_of, message, over, receiver, webhook
from tests.waiting import eventually


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, channel_allow_private=True)


@asynccontextmanager
async def couriers(services, *, count=1, settings=None, grace_s=5.0):
    """Couriers over the services' ledger, running."""
    settings = settings or services.settings
    async with AsyncExitStack() as stack:
        senders = await stack.enter_async_context(open_senders(settings, clock=SYSTEM_CLOCK))
        for _ in range(count):
            courier = Courier(
                ledger=services.ledger,
                senders=senders,
                sealer=channel_sealer(settings),
                clock=SYSTEM_CLOCK,
                rng=Random(1),
            )
            await stack.enter_async_context(courier.running(grace_s=grace_s))
        yield


async def send_test(api, channel):
    """A test, queued: its id."""
    answer = await api.post(f"/v1/channels/{channel['channel_id']}/test")
    assert answer.status_code == 202, answer.text
    return answer.json()["delivery_id"]


async def first_attempt(api, channel):
    """The latest delivery, once its first attempt is over."""

    async def look():
        found = await log_of(api, channel)
        return found[0] if found and found[0]["attempts"] and found[0]["status"] != "sending" else None

    return await eventually(look)


async def test_a_completed_job_is_told_with_a_signature_that_the_receiver_can_check(api, services):
    async with receiver() as hook, couriers(services):
        channel = await webhook(api, hook.url)
        job_id = await api.initiate()
        await completed(services, job_id)
        (seen,) = await hook.got()
        told = Webhook(channel["secret"]).verify(seen.body, seen.headers)
        assert (told["type"], told["data"]["job_id"], told["data"]["status"]) == ("job.completed", job_id, "completed")
        assert told["data"]["file_url"].endswith(f"/v1/download/file/{job_id}")
        assert "download_url" not in seen.body.decode()
        delivery = await over(api, channel)
        assert delivery["status"] == "delivered"
        assert seen.headers["webhook-id"] == f"msg_{delivery['delivery_id']}"


async def test_an_ed25519_signature_is_checked_with_the_public_key_alone(api, services):
    async with receiver() as hook, couriers(services):
        channel = await webhook(api, hook.url, signature="ed25519")
        await send_test(api, channel)
        (seen,) = await hook.got()
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(channel["public_key"].removeprefix("whpk_")))
        version, _, signature = seen.headers["webhook-signature"].partition(",")
        signed = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode() + seen.body
        key.verify(base64.b64decode(signature), signed)
        assert version == "v1a"
        assert message(seen)["type"] == "test"


async def test_a_failed_job_is_told_with_its_reason(api, services):
    async with receiver() as hook, couriers(services):
        await webhook(api, hook.url)
        await failed(services, await api.initiate())
        (seen,) = await hook.got()
        assert message(seen)["data"]["error"]["code"] == "source_missing"
        assert "file_url" not in message(seen)["data"]
        assert seen.headers["user-agent"] == f"Haulier/{__version__}"
        assert seen.headers["content-type"] == "application/json"


async def test_two_couriers_deliver_each_message_once(api, services):
    async with receiver() as hook, couriers(services, count=2):
        channel = await webhook(api, hook.url)
        sent = {await send_test(api, channel) for _ in range(10)}

        async def all_over():
            return {each["status"] for each in await log_of(api, channel)} == {"delivered"}

        await eventually(all_over)
        assert sorted(seen.headers["webhook-id"] for seen in hook.seen) == sorted(f"msg_{each}" for each in sent)


async def test_the_next_attempt_has_the_same_id_and_body_and_a_new_time(api, services, at, connection):
    async with receiver(Reply(500), Reply(204)) as hook, couriers(services):
        channel = await webhook(api, hook.url)
        job_id = await api.initiate()
        await completed(services, job_id)
        delivery = await first_attempt(api, channel)
        assert (delivery["status"], delivery["attempts"][0]["answer"]) == ("pending", 500)
        assert (await api.get("/v1/channels")).json()["channels"][0]["status"] == "failing"
        # What happens to the file later does not change what is told.
        await connection.execute("update jobs set artefact_expired = true, reason = 'expired'")
        await at(minutes=1)
        first, second = await hook.got(2)
        assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
        Webhook(channel["secret"]).verify(second.body, second.headers)
        delivered = await over(api, channel)
        assert [each["outcome"] for each in delivered["attempts"]] == ["again", "delivered"]


async def test_a_receiver_that_is_gone_ends_its_channel(api, services):
    async with receiver(Reply(410)) as hook, couriers(services):
        channel = await webhook(api, hook.url)
        await send_test(api, channel)
        assert (await over(api, channel))["status"] == "failed"
        after = (await api.get(f"/v1/channels/{channel['channel_id']}")).json()
        assert (after["status"], "410" in after["disabled_reason"]) == ("disabled", True)
        await completed(services, await api.initiate())
        assert len(await log_of(api, channel)) == 1


@pytest.mark.parametrize("text", ["3600", "Wed, 25 Nov 2126 10:00:00 GMT"])
async def test_a_receiver_may_ask_for_time_but_not_for_more_than_a_day(api, services, connection, text):
    async with receiver(Reply(503, headers={"Retry-After": text})) as hook, couriers(services):
        channel = await webhook(api, hook.url)
        await send_test(api, channel)
        await first_attempt(api, channel)
        wait = await connection.fetchval("select extract(epoch from due_at - now())::float8 from deliveries")
        asked_s = 3_600 if text == "3600" else 86_400
        assert asked_s - 60 < wait < (1 + PAUSE_JITTER) * asked_s


async def test_a_redirect_is_not_followed(api, services):
    async with receiver() as trap, receiver(Reply(307, headers={"Location": trap.url})) as hook, couriers(services):
        channel = await webhook(api, hook.url)
        await send_test(api, channel)
        (attempt,) = (await first_attempt(api, channel))["attempts"]
        assert (attempt["answer"], attempt["reason"]) == (307, "it answered 307: redirects are not followed")
        assert trap.seen == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404), "it answered 404"),
        (Reply(200, headers={"Content-Length": "bad"}), "its answer is not valid HTTP"),
        (Reply(200, b"x" * 1_000_000, cut_after=10), None),
        (Reply(200, b"x" * 1_000_000), None),
    ],
)
async def test_what_counts_is_the_status_not_the_body(api, services, reply, reason):
    async with receiver(reply) as hook, couriers(services):
        channel = await webhook(api, hook.url)
        await send_test(api, channel)
        (attempt,) = (await first_attempt(api, channel))["attempts"]
        assert (attempt["outcome"], attempt.get("reason")) == ("again" if reason else "delivered", reason)


async def test_a_cookie_of_one_receiver_goes_to_nobody(api, services):
    async with receiver(Reply(204, headers={"Set-Cookie": "id=1; Path=/"})) as hook, couriers(services):
        for _ in range(2):
            await send_test(api, await webhook(api, hook.url))
        assert all("cookie" not in seen.headers for seen in await hook.got(2))


async def test_an_address_that_is_not_public_is_refused_at_delivery(api, services):
    strict = msgspec.structs.replace(services.settings, channel_allow_private=False)
    async with receiver() as hook, couriers(services, settings=strict):
        channel = await webhook(api, hook.url)
        await send_test(api, channel)
        (attempt,) = (await first_attempt(api, channel))["attempts"]
        assert attempt["reason"].startswith("its URL must be an https:// address")
        assert hook.seen == []


async def test_a_name_that_leads_inside_is_refused_at_delivery(api, services, monkeypatch):
    async def resolve(host, port):
        return [addresses.ip_address("93.184.215.14"), addresses.ip_address("10.0.0.7")]

    monkeypatch.setattr(addresses, "resolve", resolve)
    strict = msgspec.structs.replace(services.settings, channel_allow_private=False)
    async with couriers(services, settings=strict):
        channel = await webhook(api, "https://rebinding.example.com/hook")
        await send_test(api, channel)
        (attempt,) = (await first_attempt(api, channel))["attempts"]
        assert attempt["reason"] == "its address is not allowed: it is a private or reserved address"


async def test_nobody_there_is_tried_again(api, services):
    with refusing() as nowhere:
        async with couriers(services):
            channel = await webhook(api, nowhere)
            await send_test(api, channel)
            (attempt,) = (await first_attempt(api, channel))["attempts"]
    assert (attempt["outcome"], attempt["reason"].startswith("no connection")) == ("again", True)


async def test_an_answer_that_never_comes_is_tried_again(api, services, monkeypatch):
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.3)
    async with couriers(services), silent() as mute:
        channel = await webhook(api, mute)
        await send_test(api, channel)
        (attempt,) = (await first_attempt(api, channel))["attempts"]
        assert (attempt["outcome"], attempt["reason"].startswith("no answer within")) == ("again", True)


@asynccontextmanager
async def silent():
    """The URL of a server that takes requests and never answers."""
    held = asyncio.Event()

    async def hold(_reader, writer):
        await held.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        held.set()
        server.close()


async def test_an_address_that_never_answers_holds_up_nobody_else(api, services):
    async with receiver() as hook, silent() as mute:
        slow = await webhook(api, mute)
        for _ in range(9):
            await send_test(api, slow)
        quick = await webhook(api, hook.url, user="bob")
        async with couriers(services, grace_s=0.1):
            answer = await api.post(f"/v1/channels/{quick['channel_id']}/test", user="bob")
            assert answer.status_code == 202
            await hook.got()
            sending_now = await log_of(api, slow, params={"status": "sending"})
            assert 0 < len(sending_now) <= 4


async def test_both_secrets_sign_after_a_rotation(api, services):
    async with receiver() as hook, couriers(services):
        before = await webhook(api, hook.url)
        after = (await api.post(f"/v1/channels/{before['channel_id']}/rotate")).json()
        assert after["secret"] != before["secret"]
        await send_test(api, before)
        (seen,) = await hook.got()
        for secret in (before["secret"], after["secret"]):
            Webhook(secret).verify(seen.body, seen.headers)


async def test_a_redelivery_carries_the_same_id(api, services):
    async with receiver() as hook, couriers(services):
        channel = await webhook(api, hook.url)
        delivery_id = await send_test(api, channel)
        await over(api, channel)
        assert (await api.post(f"/v1/deliveries/{delivery_id}/redeliver")).json()["delivery_id"] == delivery_id
        first, second = await hook.got(2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_a_channel_of_another_key_waits_for_the_operator(api, services):
    other = msgspec.structs.replace(services.settings, jwt_secret=Secret("another-secret-another-secret-another"))
    async with receiver() as hook, couriers(services, settings=other):
        channel = await webhook(api, hook.url)
        await send_test(api, channel)
        delivery = await first_attempt(api, channel)
        assert (delivery["status"], "operator" in delivery["attempts"][0]["reason"]) == ("pending", True)
        assert hook.seen == []


async def test_a_new_key_seals_all_channels_when_a_worker_starts(api, services, connection):
    keyed = msgspec.structs.replace(services.settings, channel_key=Secret("k" * 32))
    alone = msgspec.structs.replace(keyed, jwt_secret=Secret())
    async with receiver() as hook:
        channel = await webhook(api, hook.url)
        before = await connection.fetchval("select sealed from channels")
        async with couriers(services, settings=keyed):
            await eventually(lambda: connection.fetchval("select sealed <> $1 from channels", before))
        async with couriers(services, settings=alone):
            await send_test(api, channel)
            await hook.got()
