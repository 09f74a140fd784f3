"""A real worker process tells of the jobs that it ends: its own, those that follow them, and at once."""

import msgspec

from haulier.destinations.webhook_keys import WebhookSecret, fresh_key
from haulier.job import Request, Status, new_job_id
from haulier.ledger import ChannelDraft
from haulier.notify import courier
from haulier.preparers import Input, Resumable
from haulier.sealing import channel_sealer
from haulier.wire_channels import ALL_EVENTS
from tests.integration.house import bytes_of, worker
from tests.receiver import message, receiver


async def hears(ledger, settings, url, *, user_id):
    channel_id = new_job_id()
    secret = msgspec.to_builtins(WebhookSecret(url, (fresh_key("hmac"),)))
    await ledger.channels.add(
        ChannelDraft(
            id=channel_id,
            user_id=user_id,
            kind="webhook",
            label="",
            target=url,
            sealed=channel_sealer(settings).seal(channel_id, secret),
            events=ALL_EVENTS,
            every_job=True,
        )
    )


async def prepare(_build):
    return Resumable(
        file_name="bread.bin", size=5, inputs=(Input("flour", '"1"', 5),), open=lambda _mark: bytes_of(b"bread")
    )


async def test_all_users_whose_jobs_share_a_build_are_told_at_once(ledger, settings, monkeypatch):
    # Nobody looks by himself: what is told is told because the worker ended a job.
    monkeypatch.setattr(courier, "POLL_S", 60)
    settings = msgspec.structs.replace(settings, channel_allow_private=True)
    async with receiver() as hook, worker(settings, ledger, prepare) as house:
        for user_id in ("anna", "bob"):
            await hears(ledger, settings, hook.url, user_id=user_id)
        jobs = [await house.submit(user_id=user_id, request=Request(file_id=70_000)) for user_id in ("anna", "bob")]
        for job in jobs:
            await house.until(job, Status.COMPLETED)
        told = await hook.got(2)
        assert {message(seen)["data"]["job_id"] for seen in told} == {str(job.id) for job in jobs}
