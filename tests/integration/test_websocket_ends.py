"""How a WebSocket ends: clients that babble, flood, are slow or vanish; tokens that expire; servers that stop."""

import asyncio
import json
import socket as sockets
import struct
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from haulier.api.live.websocket_protocol import MOST_FRAGMENTS
from haulier.wire_live import MALFORMED_MESSAGES, MAX_MESSAGE_BYTES, CloseCode
from tests.clocks import AheadClock
from tests.integration.api_steps import processing
from tests.serving import serving
from tests.sockets import opened, refused, socket
from tests.waiting import eventually

KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
CLOSES = 1_000
TTL_S = 600


@pytest.fixture
def clock():
    """The server's."""
    return AheadClock()


@pytest.fixture
async def server(settings, clock):
    async with serving(settings, clock=clock) as api:
        yield api


async def raw(api, path, *, headers=""):
    """A connection that has sent a request; its socket takes little."""
    place = urlsplit(api.url)
    plain = sockets.socket()
    plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (place.hostname, place.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=4_096)
    bearer = api.token("anna")
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n{headers}\r\n".encode())
    return reader, writer


def frame(text):
    """A client's frame, masked with zeros."""
    body = text.encode()
    return struct.pack("!BB", 0x81, 0x80 | len(body)) + bytes(4) + body


def request_lines(capfd, route="/ws"):
    lines = [line for line in capfd.readouterr().err.splitlines() if f'"route":"{route}"' in line]
    return [json.loads(line) for line in lines]


async def test_malformed_messages_are_answered_and_then_too_many(server):
    async with socket(server) as ws:
        malformed = ["{", '{"type":"nix"}', '{"type":"subscribe"}', b"{}", '{"type":"ping","x":1}']
        for each in malformed[: MALFORMED_MESSAGES - 1]:
            await ws.connection.send(each)
            assert await ws.error() == "malformed_message"
        await ws.connection.send(malformed[-1])
        assert await ws.closed() == 4400


async def test_malformed_messages_that_come_at_once_are_answered_before_the_end(server):
    async with socket(server) as ws:
        for each in ('{"type":"nix"}', '{"type":"ping","x":1}', "x", "y", "z"):
            await ws.connection.send(each)
        heard = [(await ws.hear())["message"] for _ in range(MALFORMED_MESSAGES - 1)]
        assert ["type must be" in heard[0], "an unknown field x" in heard[1], "not JSON" in heard[2]] == [True] * 3
        assert await ws.closed() == 4400


async def test_a_client_that_floods_is_closed(server):
    async with socket(server) as ws:
        for _ in range(200):
            await ws.say("ping")
        assert await ws.closed() == 4429


async def test_messages_beyond_what_is_read_ahead_are_answered_in_their_order(server):
    async with socket(server) as ws:
        for number in range(60):
            await ws.say("unsubscribe", job_id=str(number))
        assert [(await ws.hear())["job_id"] for _ in range(60)] == [str(number) for number in range(60)]


async def test_a_message_that_is_too_large_closes_it(server):
    async with socket(server) as ws:
        await ws.connection.send("x" * (MAX_MESSAGE_BYTES + 1))
        assert await ws.closed() == 1009


async def test_a_message_in_frames_without_end_closes_it(server):
    async with socket(server) as ws:
        await ws.connection.send([""] * (MOST_FRAGMENTS + 10))
        assert await ws.closed() == 1009


async def test_a_text_that_is_none_closes_it_and_is_no_defect(server, caplog):
    async with socket(server) as ws:
        await ws.connection.send(b"\xff", text=True)
        await ws.connection.wait_closed()
        assert ws.connection.close_code == 1007
    assert not caplog.records


async def test_no_connection_is_taken_over_while_it_is_answered(server):
    reader, writer = await raw(server, "/v1/download/events")
    await reader.readuntil(b"ready")
    writer.write(f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{KEY}\r\n".encode())
    with suppress(ConnectionResetError):
        assert b" 101 " not in await reader.read()
    await eventually(lambda: not len(server.services.feeds))
    writer.close()


async def test_it_ends_with_its_token(server, clock):
    async with socket(server, ttl_s=TTL_S) as ws:
        clock.ahead_s = TTL_S - 1
        await ws.say("ping")  # the server looks how long the token is still good for
        assert await ws.closed() == 4410


async def test_a_renewed_token_goes_on(server, clock):
    async with socket(server, ttl_s=TTL_S) as ws:
        await ws.say("auth", token=server.token("anna", ttl_s=2 * TTL_S))
        assert await ws.hear() == {"type": "ready"}
        clock.ahead_s = TTL_S + 1
        assert await ws.silent()


async def test_a_token_of_someone_else_or_none_renews_nothing(server, clock):
    async with socket(server, ttl_s=TTL_S) as ws:
        for token in (server.token("bob", ttl_s=2 * TTL_S), "a.b.c"):
            await ws.say("auth", token=token)
            assert await ws.error() == "unauthenticated"
        clock.ahead_s = TTL_S + 1
        await ws.say("ping")
        assert await ws.closed() == 4410


async def test_an_admin_that_is_none_any_more_hears_no_more_of_others(server):
    job_id = await server.initiate(user="bob")
    async with socket(server, user="root", role="admin") as ws:
        await ws.follow(job_id)
        await ws.say("auth", token=server.token("root"))
        assert await ws.hear() == {"type": "ready"}
        await processing(server.services, job_id)
        assert await ws.silent()


async def test_a_server_that_stops_says_so(settings):
    async with serving(settings) as api, socket(api) as ws:
        api.stop()
        assert await ws.closed() == 1012


async def test_a_connection_is_one_log_line_without_its_ticket(server, capfd):
    ticket = (await server.post("/v1/tickets")).json()["ticket"]
    async with opened(server, query=f"?ticket={ticket}") as ws:
        await ws.hear()
    await eventually(lambda: len(server.services.feeds) == 0)
    await asyncio.sleep(0)
    written = capfd.readouterr().err
    (line,) = [json.loads(each) for each in written.splitlines() if '"route":"/ws"' in each]
    assert (line["status"], line["close_code"], line["route"]) == (101, 1000, "/ws")
    assert ticket not in written
    assert server.token("anna") not in written


@pytest.fixture
async def given_up(server, monkeypatch):
    """(reader, writer) of a client that asked for much and took nothing, until the server gave it up."""
    monkeypatch.setattr("haulier.api.live.frames.SLOW_S", 0.1)
    monkeypatch.setattr("haulier.api.live.frames.Bucket.take", lambda *_: True)
    job_id = await server.initiate()
    reader, writer = await raw(server, "/ws", headers=f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}")
    await reader.readuntil(b"ready")
    writer.transport.pause_reading()
    again = frame(json.dumps({"type": "subscribe", "job_id": job_id}))

    async def talk():
        if writer.transport.get_write_buffer_size() < 65_536:
            writer.write(again * 500)
        return not len(server.services.feeds)

    await eventually(talk)
    yield reader, writer
    writer.transport.abort()


@pytest.fixture
def short_goodbye(monkeypatch):
    monkeypatch.setattr("haulier.api.live.frames.CLOSE_S", 0.1)


async def test_a_client_that_takes_nothing_is_dropped(short_goodbye, given_up, capfd):
    await eventually(lambda: [line["close_code"] for line in request_lines(capfd)] == [4408])


async def test_a_slow_client_that_reads_again_is_told_why(given_up):
    reader, writer = given_up
    writer.transport.resume_reading()
    told = b""
    with suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(65_536), 10):
            told = told[-200:] + piece
    assert struct.pack("!H", CloseCode.TOO_SLOW) + CloseCode.TOO_SLOW.reason.encode() in told


async def test_a_client_that_pings_and_reads_no_answer_is_not_read_any_more(server):
    reader, writer = await raw(server, "/ws", headers=f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}")
    await reader.readuntil(b"ready")
    writer.transport.pause_reading()
    pings = (struct.pack("!BB", 0x89, 0x80 | 125) + bytes(4) + bytes(125)) * 500
    (protocol,) = [each for each in server.protocols if hasattr(each, "read_paused")]

    def flood():
        if writer.transport.get_write_buffer_size() < 65_536:
            writer.write(pings)
        return protocol.read_paused

    await eventually(flood)
    assert protocol.transport.get_write_buffer_size() < 2**20
    writer.transport.resume_reading()
    while protocol.read_paused:
        await reader.read(65_536)
    writer.transport.abort()


async def test_a_peer_that_answers_no_ping_is_closed(settings, monkeypatch):
    monkeypatch.setattr("haulier.api.serve.PING_S", 0.05)
    async with serving(settings) as api:
        reader, writer = await raw(api, "/ws", headers=f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}")
        assert b"keepalive ping timeout" in await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await eventually(lambda: len(api.services.feeds) == 0)


async def test_a_defect_closes_it_and_is_logged(server, monkeypatch, capfd):
    async with socket(server) as ws:
        monkeypatch.setattr("haulier.api.live.following.Following.subscribe", None)
        await ws.say("subscribe", job_id="x")
        assert await ws.closed() == 1011
    await eventually(lambda: len(server.services.feeds) == 0)
    assert "request_failed" in "".join(capfd.readouterr())


async def test_connections_that_have_not_said_who_they_are_are_few(server, monkeypatch):
    monkeypatch.setattr("haulier.api.live.websocket.MOST_UNKNOWN", 1)
    async with opened(server) as ws:
        assert (await refused(server)).code == "unavailable"
        await ws.say("auth", token=server.token("anna"))
        assert await ws.hear() == {"type": "ready"}
        async with opened(server):
            pass


def _descriptors():
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.parametrize("path", ["/ws", "/v1/download/events", "/v1/download/events/{job_id}"])
async def test_abrupt_ends_leave_nothing_behind(settings, path, caplog):
    own = msgspec.structs.replace(settings, log_level="warning", database_pool=2, live_connections_user=1_000)
    async with serving(own) as server:
        await _come_and_go(server, path, times=CLOSES)
    said = [each.getMessage() for each in caplog.records if each.name.startswith(("uvicorn", "asyncio"))]
    # asyncpg cancels a query over another connection; when that fails it says so, and no harm is done (its issue 1310).
    assert not [each for each in said if "unexpected connection_lost() call" not in each]


async def _come_and_go(server, path, *, times):
    """Open and break connections; fail unless tasks, feeds and descriptors are as before."""
    job_id = await server.initiate(70_000)
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}" if path == "/ws" else ""
    follow = frame('{"type":"subscribe","all":true}') + frame(json.dumps({"type": "subscribe", "job_id": job_id}))
    reset = struct.pack("ii", 1, 0)

    async def come_and_go(number):
        reader, writer = await raw(server, path.replace("{job_id}", job_id), headers=upgrade)
        with suppress(ConnectionError):
            if number % 4:  # some leave before anything is said
                await reader.readuntil(b"ready" if path == "/ws" else b"status")
                writer.write(follow if path == "/ws" and number % 4 > 1 else b"")
                await asyncio.sleep(0)
        writer.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, reset)
        writer.transport.abort()

    async def burst(start):
        await asyncio.gather(*(come_and_go(number) for number in range(start, start + 50)))

    async def gone():
        await eventually(lambda: len(server.protocols) <= 1)
        await eventually(lambda: (len(feeds), len(feeds.by_job), len(feeds.by_user)) == (0, 0, 0))

    feeds = server.services.feeds
    await burst(0)  # opens the pools
    await gone()
    tasks, descriptors = len(asyncio.all_tasks()), _descriptors()
    for start in range(50, times, 50):
        await burst(start)
    await gone()
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    assert _descriptors() <= descriptors
