"""The figures of live connections: those that the pages promise, and those that others rely on."""

from pathlib import Path

import pytest

from haulier.api.live import all_jobs, endings, list_seats, streaming, telling, tickets, websocket_protocol
from haulier.live import repair
from haulier.wire_live import (
    AUTH_WITHIN_S,
    MALFORMED_MESSAGES,
    MAX_MESSAGE_BYTES,
    MESSAGES_AT_ONCE,
    MESSAGES_PER_S,
    MOST_SUBSCRIPTIONS,
    CloseCode,
)

DOCS = Path(__file__).parents[2] / "docs"
IMPATIENT_PROXY_S = 30  # what some cut as idle
FRAME_KIB = f"{MAX_MESSAGE_BYTES / 1024:g} KiB"
NUMBERS = ("none", "one", "two", "three", "four", "five")

PROMISES = [
    ("websocket.md", f"JSON as text, at most {FRAME_KIB}"),
    ("websocket.md", f"a message was larger than {FRAME_KIB}, or came in more than 1,000 frames"),
    ("websocket.md", f'`{{"type":"auth","token":"…"}}`, within {AUTH_WITHIN_S} s'),
    ("websocket.md", f"no valid token within {AUTH_WITHIN_S} s"),
    ("websocket.md", f"follows at most {MOST_SUBSCRIPTIONS} jobs one by one"),
    ("websocket.md", f"wait or run (up to {all_jobs.SNAPSHOT_JOBS})"),
    ("websocket.md", f"good for one connection, within {tickets.LIFE_S:g} s"),
    ("websocket.md", f"Pings of the protocol come every {websocket_protocol.PING_S:g} s"),
    ("websocket.md", f"the client took nothing for {endings.SLOW_S:g} s"),
    ("websocket.md", f"more than {MESSAGES_PER_S} messages a second after the first {MESSAGES_AT_ONCE}"),
    ("websocket.md", f"{NUMBERS[MALFORMED_MESSAGES]} messages could not be read"),
    ("live.md", f"retry: {streaming.RETRY_MS}"),
    ("live.md", f"A comment (`: `) every {streaming.HEARTBEAT_S:g} s"),
    ("live.md", f"the change within {repair.REPAIR_S:g} s or a little more"),
    ("live.md", f"each has its turn, {telling.QUEUED_LOOKED_AT} every {telling.LOOK_AGAIN_S:g} s"),
    ("live.md", f"{NUMBERS[list_seats.LISTS_OF_USER]} are made at a time"),
    ("live.md", f"a follower takes nothing for {endings.SLOW_S:g} s"),
]


@pytest.mark.parametrize(("page", "promise"), PROMISES)
def test_what_the_pages_promise_is_so(page, promise):
    assert promise in (DOCS / page).read_text("utf-8")


def test_nothing_is_idle_for_as_long_as_a_proxy_waits():
    assert max(streaming.HEARTBEAT_S, websocket_protocol.PING_S) < IMPATIENT_PROXY_S


def test_what_no_announcement_told_is_found_within_five_seconds():
    assert 2 * repair.REPAIR_S < 5  # one look may just have been missed


def test_a_close_says_the_same_figures():
    assert FRAME_KIB in CloseCode.TOO_LARGE.reason
    assert f"{AUTH_WITHIN_S} s" in CloseCode.UNAUTHENTICATED.reason
    assert f"{endings.SLOW_S:g} s" in CloseCode.TOO_SLOW.reason
