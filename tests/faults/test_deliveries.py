"""kill -9 of a worker that delivers: before it has sent anything, and before it could write down that it had."""

from typing import Any

import pytest

from haulier.failpoints import Point
from tests.faults.fleet import fleet
from tests.receiver import receiver
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)

LATER_THAN_A_LEASE_S = 80
ENV = {"HAULIER_CHANNEL_ALLOW_PRIVATE": "true"}


async def test_a_message_is_delivered_whenever_its_worker_dies_and_always_with_the_same_id(tmp_path):
    async with (
        receiver() as hook,
        fleet(tmp_path / "home", workers=0, apis=0) as house,
        house.api_of("anna", **ENV) as api,
    ):
        made = (await api.post("/v1/channels", json={"kind": "webhook", "url": hook.url})).json()
        path = f"/v1/channels/{made['channel_id']}"
        delivery_id = (await api.post(f"{path}/test")).json()["delivery_id"]

        first = await house.start_worker(at=[f"{Point.DELIVERY_CLAIMED}=kill:1"], **ENV)
        await first.ended()
        assert hook.seen == []
        await house.later(LATER_THAN_A_LEASE_S)
        second = await house.start_worker(at=[f"{Point.DELIVERY_SENT}=kill:1"], **ENV)
        await second.ended()
        assert len(hook.seen) == 1
        await house.later(2 * LATER_THAN_A_LEASE_S)
        await house.start_worker(**ENV)

        async def delivered() -> Any:
            (delivery,) = (await api.get(f"{path}/deliveries")).json()["deliveries"]
            return delivery if delivery["status"] == "delivered" else None

        delivery = await eventually(delivered)
        assert [each["outcome"] for each in delivery["attempts"]] == ["again", "again", "delivered"]
        assert [seen.headers["webhook-id"] for seen in hook.seen] == [f"msg_{delivery_id}"] * 2
