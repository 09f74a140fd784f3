"""Tickets: what opens one WebSocket from a browser, where a token in the URL would end up in logs.

Redis keeps a ticket's digest, never itself, with who asked for it; taking it out is what makes it count once, over all
API processes.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import redis.asyncio
import redis.exceptions

from haulier.api.auth import Caller
from haulier.api.patience import ANSWER_S
from haulier.clock import Clock, wire_time
from haulier.errors import EngineUnavailable, TooManyTickets, Unauthenticated
from haulier.redis_client import redis_client
from haulier.settings import Settings
from haulier.silence import answered_within
from haulier.wire_live import Ticket

LIFE_S = 30.0
WINDOW_S = 60
MOST_IN_WINDOW = 60  # of one user
SOCKET_TIMEOUT_S = 5.0  # of one command; ANSWER_S ends it sooner, and knows a standstill of ours from silence

_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")
_AWAY = (redis.exceptions.RedisError, OSError, TimeoutError)

# Answers the seconds to wait when the user has asked too often, else 0.
_ISSUE = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
if count > tonumber(ARGV[2]) then return math.max(redis.call('TTL', KEYS[1]), 1) end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 0
"""


class Tickets:
    """Issues and redeems tickets."""

    def __init__(self, client: "redis.asyncio.Redis", *, prefix: str, clock: Clock) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock

    async def issue(self, caller: Caller) -> Ticket:
        """A ticket for `caller`, which does not outlive the token. Raises TooManyTickets, EngineUnavailable."""
        now = self._clock.now()
        life_s = min(LIFE_S, caller.left_s(now=now))
        text = secrets.token_urlsafe(32)
        keys = (self._key("tickets-of", caller.user_id), self._key("ticket", text))
        value = msgspec.json.encode(caller)
        try:
            async with answered_within(ANSWER_S):
                wait_s = await self._client.eval(  # pyright: ignore[reportGeneralTypeIssues]
                    _ISSUE, len(keys), *keys, WINDOW_S, MOST_IN_WINDOW, value, max(int(life_s * 1000), 1)
                )
        except _AWAY:
            raise EngineUnavailable from None
        if wait_s:
            raise TooManyTickets(limit=MOST_IN_WINDOW, wait_s=wait_s, retry_after_s=wait_s)
        return Ticket(text, wire_time(now + timedelta(seconds=life_s)))

    async def redeem(self, text: str) -> Caller:
        """Who was given this ticket; it is void from now on. Raises Unauthenticated, EngineUnavailable."""
        raw = None
        if _TICKET.fullmatch(text):
            try:
                async with answered_within(ANSWER_S):
                    raw = await self._client.getdel(self._key("ticket", text))
            except _AWAY:
                raise EngineUnavailable from None
        caller = msgspec.json.decode(raw, type=Caller) if raw else None
        if caller is None or caller.left_s(now=self._clock.now()) <= 0:
            raise Unauthenticated(reason="the ticket is unknown, used or expired", error="invalid_token")
        return caller

    def _key(self, kind: str, text: str) -> str:
        return f"{self._prefix}:{kind}:{hashlib.sha256(text.encode()).hexdigest()}"


@asynccontextmanager
async def open_tickets(settings: Settings, *, clock: Clock) -> AsyncGenerator[Tickets]:
    """Tickets kept in Redis. Connects lazily: it may be away."""
    client = redis_client(settings.redis_url, socket_timeout_s=SOCKET_TIMEOUT_S, connections=16)
    try:
        yield Tickets(client, prefix=settings.redis_prefix, clock=clock)
    finally:
        await client.aclose()
