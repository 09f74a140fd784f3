"""The API as a real server: starting, stopping, and clients that do not behave."""

import asyncio
import os
import signal

import httpx
import msgspec
import pytest

from haulier.api.protocol import LIMIT_BYTES, MOST_WAITING
from haulier.api.serve import serve
from haulier.embedded.ports import free_port
from tests.api_client import ApiClient


@pytest.fixture
async def server(settings):
    """(client, the task that serves)."""
    settings = msgspec.structs.replace(settings, port=free_port())
    serving = asyncio.create_task(serve(settings))
    async with httpx.AsyncClient(base_url=settings.base_url) as http:
        async with asyncio.timeout(10):
            while True:
                try:
                    await http.get("/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield ApiClient(http, secret=settings.jwt_secret), serving
    if not serving.done():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 15)


async def raw(client, *pieces: bytes) -> bytes:
    """What the server answers to bytes as they are."""
    reader, writer = await asyncio.open_connection(client.http.base_url.host, client.http.base_url.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)  # so that each piece arrives by itself
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_sigterm_answers_long_polls_and_ends(server):
    client, serving = server
    job_id = await client.initiate()
    polling = asyncio.create_task(client.status(job_id, params={"wait": 60}))
    await asyncio.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)
    assert (await asyncio.wait_for(polling, 5)).status_code == 200
    await asyncio.wait_for(serving, 10)


async def test_a_client_that_hangs_up_ends_its_long_poll(server):
    client, _ = server
    job_id = await client.initiate()
    with pytest.raises(httpx.ReadTimeout):
        await client.status(job_id, params={"wait": 60}, timeout=0.3)
    assert (await client.get("/health")).status_code == 200


async def test_a_head_that_is_too_large_is_refused_at_once(server):
    client, _ = server
    answer = await raw(client, b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * LIMIT_BYTES + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_header_that_never_ends_is_refused(server):
    client, _ = server
    answer = await raw(client, b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", *[b"a" * 8_192] * 6)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_a_head_counts_once_however_it_is_cut(server):
    client, _ = server
    fields = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 3_000) for number in range(8))
    head = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n"
    answer = await raw(client, *(head[start : start + 8_000] for start in range(0, len(head), 8_000)))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_what_comes_with_the_end_of_a_head_is_not_of_it(server):
    client, _ = server
    body = b"x" * 40_000
    head = b"POST /v1/download/check HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    answer = await raw(client, head[:50], head[50:] + body)
    assert answer.startswith(b"HTTP/1.1 401 ")
    # The body of one request and the beginning of the next in one piece: none of that is the next one's head.
    head = head.replace(b"Connection: close\r\n", b"")
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await raw(client, head, body + last[:20], last[20:])).count(b"HTTP/1.1 200 ") == 1


async def test_few_requests_are_taken_ahead_of_their_answers(server):
    client, _ = server
    one, last = b"GET /health HTTP/1.1\r\n\r\n", b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert (await raw(client, one * 50 + last)).count(b"HTTP/1.1 200") == 51
    assert await raw(client, one * (MOST_WAITING + 50) + last) == b""


async def test_what_is_not_http_is_refused(server):
    client, _ = server
    assert (await raw(client, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_the_server_does_not_tell_what_it_is(server):
    client, _ = server
    assert "server" not in (await client.get("/health")).headers
