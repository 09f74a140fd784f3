"""The Node package of BullMQ, and with it bull-board, reads the same queue."""

import asyncio
import json

import pytest

from haulier.engine import Engine, GivenUp, Runner
from haulier.settings import Secret
from tests.integration.engine_steps import Look, handed, opened
from tests.interoperability import NODE, node_packages
from tests.waiting import until

__all__ = ["node_packages"]  # a fixture

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]


@pytest.fixture
def node(node_packages, valkey_url, redis_prefix):
    """`await node()`: what the Node package sees; `await node("retry", id)`: after it retried an entry."""

    async def look(*action: str) -> dict:
        process = await asyncio.create_subprocess_exec(
            "node", "queue.mjs", valkey_url, redis_prefix, *action, cwd=NODE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
        assert process.returncode == 0
        return json.loads(output)

    return look


async def test_the_node_package_sees_waiting_completed_and_failed_jobs_and_retries_one(valkey_url, redis_prefix, node):
    done, failing, waiting = handed(), handed(), handed(handover=7)
    given_up = []

    async def handle(job):
        if job == failing and not given_up:
            given_up.append(job)
            raise GivenUp("The source does not exist.")

    def runner():
        return Runner.open(Secret(valkey_url), prefix=redis_prefix, name="test", slots=2, lease_s=15, handle=handle)

    async with Engine.open(Secret(valkey_url), prefix=redis_prefix) as engine, opened(valkey_url) as client:
        look = Look(client, prefix=redis_prefix)
        async with runner():
            await engine.hand_over([done, failing])
            await until(lambda: _are(look, {done: "completed", failing: "failed"}))
        await engine.hand_over([waiting])

        seen = await node()
        assert seen["counts"] == {"waiting": 1, "active": 0, "completed": 1, "failed": 1}
        assert seen["waiting"] == [
            {
                "id": f"{waiting.job_id}.7",
                "name": "download",
                "data": {"job_id": str(waiting.job_id), "handover": 7},
                "attempts": 1,
            }
        ]
        assert seen["completed"][0]["data"] == {"job_id": str(done.job_id), "handover": 1}
        assert seen["failed"][0]["failedReason"] == "The source does not exist."

        # bull-board's retry button: the entry runs again here, where the ledger decides what that means.
        seen = await node("retry", f"{failing.job_id}.1")
        assert seen["counts"]["waiting"] == 2
        assert await engine.present([failing, waiting]) == {failing, waiting}
        async with runner():
            await until(lambda: _are(look, {failing: "completed", waiting: "completed"}))


async def _are(look: Look, states: dict) -> bool:
    return all([await look.state(job) == state for job, state in states.items()])
