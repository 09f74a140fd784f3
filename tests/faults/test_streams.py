"""Those who follow a job through what breaks: nothing is missed, nothing goes back, and a job's end arrives."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from haulier.client import Client, Patience
from haulier.client import following as module
from haulier.wire_live import StatusMessage
from tests.faults.fleet import fleet
from tests.faults.preparers import HELD
from tests.faults.scale import scale
from tests.sockets import Socket
from tests.waiting import eventually

pytestmark = [pytest.mark.xdist_group("fleet"), pytest.mark.timeout(120)]

FOLLOWERS = scale(fast=5, full=50)


class Follower:
    """One client and what it was told."""

    def __init__(self) -> None:
        self.told = []

    async def follow(self, house, port: int, job_id: str) -> None:
        patience = Patience(tries=100, longest_s=0.5)
        async with Client(f"http://127.0.0.1:{port}", token=house.token("anna"), patience=patience) as client:
            async for status in client.follow(job_id):
                self.told.append(status)

    def check(self) -> None:
        versions = [status.version for status in self.told]
        assert versions == sorted(versions)
        assert [status.status for status in self.told if status.status == "completed"] == ["completed"]
        assert self.told[-1].status == "completed"


class SocketFollower(Follower):
    """The same over WebSockets to all jobs: a new one, from the last one's cursor, whenever one breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.cursor = ""
        self.broken = 0

    async def follow(self, house, port: int, job_id: str) -> None:
        bearer = {"Authorization": f"Bearer {house.token('anna')}"}
        while not self._is_over():
            try:
                async with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=bearer, proxy=None) as connection:
                    await self._listen(Socket(connection))
            except (ConnectionClosed, InvalidHandshake, OSError):
                self.broken += 1
                await asyncio.sleep(0.1)

    def _is_over(self) -> bool:
        return bool(self.told) and self.told[-1].status == "completed"

    async def _listen(self, socket: Socket) -> None:
        await socket.say("subscribe", all=True, since=self.cursor)
        while not self._is_over():
            message = await socket.hear()
            self.cursor = message.get("cursor", self.cursor)
            if message["type"] == "status":
                self.told.append(msgspec.convert(message, StatusMessage))


@asynccontextmanager
async def following(house, ports, job_id, *others):
    """Followers of one job, one after the other at each port; all of them have seen its end at the end of the block."""
    followers = [*others, *(Follower() for _ in range(FOLLOWERS))]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number, follower in enumerate(followers):
            group.create_task(follower.follow(house, ports[number % len(ports)], job_id))
        await eventually(lambda: all(follower.told for follower in followers))
        yield
    for follower in followers:
        follower.check()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(module, "RECONNECT_S", 0.1)
    monkeypatch.setattr(module, "WITHOUT_STREAM_S", 2.0)


async def started(house, port: int) -> str:
    async with Client(f"http://127.0.0.1:{port}", token=house.token("anna")) as client:
        return (await client.initiate(HELD)).job_id


async def test_an_api_that_is_killed_and_comes_back_is_a_pause(tmp_path):
    async with fleet(tmp_path / "home", workers=1, apis=2) as house:
        first, second = house.apis
        job_id = await started(house, first.port)
        socket = SocketFollower()  # the first of them: at the port of the API that is killed
        async with following(house, [first.port, second.port], job_id, socket):
            first.kill()
            await first.ended()
            await house.start_api(port=first.port)
            house.release()
        assert socket.broken


async def test_announcements_that_are_lost_and_a_redis_that_forgets_are_no_matter(tmp_path):
    async with fleet(tmp_path / "home", workers=1) as house:
        job_id = await started(house, house.apis[0].port)
        async with following(house, [house.apis[0].port], job_id), house.redis() as redis:
            await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await redis.flushall()
            house.release()
