"""The fault proxies themselves: what they promise to do to a connection."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from random import Random

import httpx
import pytest

from tests.faults.proxy import Proxy, proxy
from tests.faults.s3_proxy import s3_proxy
from tests.origin import Reply, serving
from tests.waiting import until

SILENCE_S = 0.2


async def _shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


@pytest.fixture
async def echo():
    """A proxy before a server that answers every line in capitals."""
    server = await asyncio.start_server(_shout, "127.0.0.1", 0)
    async with proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as opened:
        yield opened
    server.close()


@asynccontextmanager
async def connected(link: Proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()


class Talk:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, line: bytes) -> None:
        self._writer.write(line + b"\n")

    async def hear(self) -> bytes:
        return await asyncio.wait_for(self._reader.readline(), 5)

    async def hear_until_reset(self) -> bytes:
        heard = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := await self._reader.read(100):
                heard += piece
        return heard

    async def hears_nothing(self) -> bool:
        done, pending = await asyncio.wait({asyncio.ensure_future(self._reader.readline())}, timeout=SILENCE_S)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return not done


async def test_a_healthy_proxy_passes_both_directions(echo):
    async with connected(echo) as talk:
        talk.say(b"hello")
        assert await talk.hear() == b"HELLO\n"


async def test_a_refusing_proxy_resets_and_refuses_and_comes_back_on_its_port(echo):
    async with connected(echo) as talk:
        talk.say(b"hello")
        await talk.hear()
        with echo.refusing():
            with pytest.raises(ConnectionResetError):
                await talk.hear()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", echo.port)
    async with connected(echo) as talk:
        talk.say(b"again")
        assert await talk.hear() == b"AGAIN\n"


async def test_a_blackhole_accepts_and_never_answers_and_its_connections_are_reset_at_the_end(echo):
    async with connected(echo) as before:
        before.say(b"hello")
        await before.hear()
        echo.blackhole()
        before.say(b"lost")
        async with connected(echo) as during:
            during.say(b"lost")
            assert await before.hears_nothing()
            assert await during.hears_nothing()
            echo.heal()
            for talk in (before, during):
                with pytest.raises(ConnectionResetError):
                    await talk.hear()


async def test_held_bytes_arrive_when_the_proxy_heals(echo):
    async with connected(echo) as talk:
        echo.hold()
        talk.say(b"late")
        assert await talk.hears_nothing()
        echo.heal()
        assert await talk.hear() == b"LATE\n"


async def test_an_answer_is_cut_after_so_many_bytes(echo):
    echo.cut(after_bytes=8)
    async with connected(echo) as talk:
        talk.say(b"hello")
        assert await talk.hear() == b"HELLO\n"
        talk.say(b"again")
        assert await talk.hear_until_reset() == b"AG"


async def test_dropped_answers_are_lost_and_the_connection_goes_on(echo):
    echo.drop(b"SECRET")
    async with connected(echo) as talk:
        talk.say(b"secret")
        assert await talk.hears_nothing()
        talk.say(b"other")
        assert await talk.hear() == b"OTHER\n"


async def test_a_slow_proxy_delivers_everything(echo):
    echo.delay(0.01)
    echo.throttle(1_000_000)
    async with connected(echo) as talk:
        talk.say(b"x" * 10_000)
        assert await talk.hear() == b"X" * 10_000 + b"\n"


def test_a_url_keeps_all_but_its_address():
    link = Proxy("127.0.0.1", 1)
    link.port = 4711
    assert link.url_for("postgresql://me:secret@db:5432/haulier?x=1") == (
        "postgresql://me:secret@127.0.0.1:4711/haulier?x=1"
    )


async def test_the_s3_proxy_answers_503_to_a_share_of_requests():
    async with (
        serving(lambda _: Reply(body=b"fine")) as origin,
        s3_proxy(origin.url(), rng=Random(1)) as link,
        httpx.AsyncClient() as http,
    ):
        link.fail(0.3)
        answers = [await http.put(link.url_for(origin.url("/key")), content=b"body") for _ in range(50)]
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(503) == link.outcomes["failed"] == len(answers) - statuses.count(200)
        assert 5 < statuses.count(503) < 25
        assert b"SlowDown" in next(answer.content for answer in answers if answer.status_code == 503)
        link.heal()
        assert (await http.get(link.url_for(origin.url()))).content == b"fine"


async def test_the_s3_proxy_cuts_bodies_as_often_as_told():
    async with (
        serving(lambda _: Reply(body=b"x" * 1_000)) as origin,
        s3_proxy(origin.url(), rng=Random(1)) as link,
        httpx.AsyncClient() as http,
    ):
        link.cut_bodies(100, times=1)
        with pytest.raises(httpx.TransportError):
            await http.get(link.url_for(origin.url()))
        await until(lambda: link.outcomes["cut"] == 1)
        assert len((await http.get(link.url_for(origin.url()))).content) == 1_000
