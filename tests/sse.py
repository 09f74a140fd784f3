"""Reading server-sent events in tests: every event as it was sent, and heartbeats."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

PATIENCE_S = 20


class Event(msgspec.Struct, frozen=True):
    """One event. `name` is empty for a comment."""

    name: str
    id: str
    data: Any


class Events:
    """The events of one answer, in order."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._events = self._read()

    async def next(self) -> Event:
        """The next event; fails when none comes in time. Comments are passed over."""
        while True:
            event = await asyncio.wait_for(anext(self._events), PATIENCE_S)
            if event.name:
                return event

    async def rest(self) -> list[Event]:
        """All events until the server ends the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return [event async for event in self._events if event.name]

    async def comment(self) -> None:
        """Wait for a comment."""
        while (await asyncio.wait_for(anext(self._events), PATIENCE_S)).name:
            pass

    async def _read(self) -> AsyncIterator[Event]:
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            if line.startswith(":"):
                yield Event("", "", None)
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                if "event" in fields:
                    yield Event(fields["event"], fields.get("id", ""), msgspec.json.decode(fields["data"]))
                fields = {}


@asynccontextmanager
async def listening(
    http: httpx.AsyncClient, path: str, *, token: str, last: str | None = None
) -> AsyncGenerator[Events]:
    """An open stream at `path`."""
    headers = {"Authorization": f"Bearer {token}"} | ({} if last is None else {"Last-Event-ID": last})
    async with http.stream("GET", path, headers=headers, timeout=PATIENCE_S * 2) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "private, no-store"
        yield Events(answer)
