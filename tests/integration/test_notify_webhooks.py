"""Webhooks from a job's end to a receiver on the loopback, through real servers."""

from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

import msgspec
import pytest
from standardwebhooks import Webhook

from haulier.clock import SYSTEM_CLOCK
from haulier.notify import Courier, open_senders
from haulier.sealing import channel_sealer
from tests.integration.api_steps import completed, failed
from tests.loopback import Reply
from tests.receiver import log_of, message, over, receiver, webhook
from tests.waiting import eventually


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, channel_allow_private=True)


@asynccontextmanager
async def couriers(services, *, count=1, grace_s=5.0):
    """Couriers over the services' ledger, running."""
    async with open_senders(services.settings, clock=SYSTEM_CLOCK) as senders:
        made = [
            Courier(
                ledger=services.ledger,
                senders=senders,
                sealer=channel_sealer(services.settings),
                clock=SYSTEM_CLOCK,
                rng=Random(1),
            )
            for _ in range(count)
        ]
        if count == 1:
            async with made[0].running(grace_s=grace_s):
                yield made
        else:
            async with made[0].running(grace_s=grace_s), made[1].running(grace_s=grace_s):
                yield made


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
