"""What a client says on a WebSocket: read strictly, and never an error that was not meant."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from haulier.api.exchange import Exchange
from haulier.api.live.frames import parse
from haulier.api.live.handshake import check_origin
from haulier.api.live.pacing import Bucket
from haulier.errors import MalformedMessage, OriginNotAllowed
from haulier.settings import load
from haulier.wire_live import Auth, ClientMessage, CloseCode, Ping, Subscribe, Unsubscribe
from tests.clocks import HandClock

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(["auth", "subscribe", "unsubscribe", "ping", "status", ""]) | st.text(max_size=9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"ping"}', Ping()),
        ('{"type":"auth","token":"a.b.c"}', Auth(token="a.b.c")),
        ('{"job_id":"x","type":"subscribe"}', Subscribe(job_id="x")),
        ('{"type":"subscribe","all":true}', Subscribe(all=True)),
        (' {"type":"unsubscribe", "job_id":"x", "all":false} ', Unsubscribe(job_id="x")),
    ],
)
def test_what_is_understood(text, message):
    assert parse(text) == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "send JSON as text"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"type":"ping","x":' + "[" * 60_000, "not JSON"),
        ("[" * 60_000, "not JSON"),
        ('{"type":"subscribe"}', "be read: it must name a job_id, or say all"),
        ('{"type":"subscribe","all":false}', "be read: it must name a job_id, or say all"),
        ('{"type":"subscribe","all":true,"job_id":"x"}', "and not both"),
        ('{"type":"subscribe","job_id":7}', "job_id must be text of at most 64 characters; it is a whole number"),
        ('{"type":"subscribe","job_id":"' + "x" * 65 + '"}', "job_id must be text of at most 64 characters."),
        ('{"type":"subscribe","jobid":"x","all":true}', "be read: it has an unknown field jobid."),
        ('{"type":"auth"}', "be read: it needs the field token."),
        ('{"type":"subscribe","all":true,"since":"x"}', "since must be text of up to 14 digits."),
        ('{"type":"status"}', "type must be one of auth, subscribe, unsubscribe, ping"),
        ('{"all":true}', "type must be"),
        ('"ping"', "type must be"),
    ],
)
def test_what_is_not(text, reason):
    with pytest.raises(MalformedMessage) as error:
        parse(text)
    assert reason in error.value.detail


@given(
    st.text() | JSON.map(json.dumps) | st.dictionaries(st.sampled_from(["type", "all", "job_id"]), JSON).map(json.dumps)
)
def test_nothing_breaks_it(text):
    with suppress(MalformedMessage):
        assert isinstance(parse(text), ClientMessage)


@given(KINDS, st.text(max_size=64), st.booleans())
def test_what_it_accepts_it_would_say_itself(kind, job_id, has_all):
    given_message = {"type": kind} | ({"all": True} if has_all else {"job_id": job_id})
    try:
        message = parse(json.dumps(given_message))
    except MalformedMessage:
        assert kind not in ("subscribe", "unsubscribe")
    else:
        assert parse(msgspec.json.encode(message).decode()) == message
        assert (message.all, message.job_id) == (has_all, UNSET if has_all else job_id)


def test_every_close_code_says_why_in_what_a_frame_may_hold():
    assert all(0 < len(code.reason.encode()) <= 123 for code in CloseCode)


def test_a_bucket_is_full_at_first_and_fills_again():
    clock = HandClock()
    bucket = Bucket(per_s=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.passed_s = 0.5
    assert [bucket.take(), bucket.take()] == [True, False]
    clock.passed_s = 100.0
    assert [bucket.take(4), bucket.take(3), bucket.take()] == [False, True, False]


def opened_by(origin, *, host="api.example", allowed="https://app.example", base="https://api.example"):
    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    settings = load({}, allowed_origins=allowed, public_url=base)
    check_origin(Exchange({"headers": headers}, None), settings)


@pytest.mark.parametrize(
    "facts",
    [
        {"origin": None},
        {"origin": "https://app.example"},
        {"origin": "https://api.example"},
        {"origin": "https://api.example:443"},
        {"origin": "https://api.example", "host": "10.0.0.7:8080"},  # a proxy that passes another Host on
        {"origin": "https://other.example", "host": "other.example"},  # a second name of the same API
        {"origin": "http://localhost:8080", "host": "localhost:8080"},
        {"origin": "https://evil.example", "allowed": "*"},
        {"origin": "null", "allowed": "*"},
    ],
)
def test_origins_that_may(facts):
    opened_by(**facts)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://api.example.evil.example",
        "http://api.example:81",
        "file://api.example",
        "https://[",
        "https://api.example:x",
    ],
)
def test_origins_that_may_not(origin):
    with pytest.raises(OriginNotAllowed):
        opened_by(origin)
