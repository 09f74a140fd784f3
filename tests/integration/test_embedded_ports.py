"""Ports for servers: one that is there when the server comes, as far as that can be known."""

import socket
from pathlib import Path

import pytest

from haulier.embedded.ports import free_port, is_free

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.fixture
def taken():
    """A port that someone listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_preferred_port_is_taken_when_it_can_be(taken):
    port = free_port()
    assert free_port(preferred=port) == port
    assert free_port(preferred=taken) != taken


def test_a_port_of_an_outgoing_connection_is_not_free(taken):
    with socket.create_connection(("127.0.0.1", taken)) as outgoing:
        assert not is_free(outgoing.getsockname()[1])


@pytest.mark.skipif(not RANGE.exists(), reason="only Linux says which ports it lends")
def test_no_outgoing_connection_can_come_before_the_server():
    lent = range(*map(int, RANGE.read_text().split()))
    if lent.start < 32_768:
        pytest.skip("this machine lends more ports than usual")
    assert not {free_port() for _ in range(100)} & set(lent)
