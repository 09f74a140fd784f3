"""What is said on one WebSocket once it is known who speaks: answers to messages, and what changes meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec import UNSET, UnsetType

from haulier.api.live.endings import ending_of
from haulier.api.live.following import Following
from haulier.api.live.frames import Close, Frames, Gone
from haulier.api.services import Services
from haulier.errors import HaulierError, MalformedMessage, Unauthenticated
from haulier.live import Feed
from haulier.wire_live import (
    Auth,
    ClientMessage,
    ErrorMessage,
    Ping,
    Pong,
    Ready,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)

INBOX = 16  # messages read ahead; then the client's next ones stay in its own buffers
LONGEST_WAIT_S = 3_600.0


def error_message(error: HaulierError, *, job_id: str | UnsetType = UNSET) -> ErrorMessage:
    """What a client is told of `error`."""
    return ErrorMessage(code=error.code, message=error.detail, job_id=job_id)


class Conversation:
    """One connection's. One task speaks, so that what it says has an order; another one listens."""

    def __init__(self, frames: Frames, feed: Feed, following: Following, services: Services) -> None:
        self._frames = frames
        self._feed = feed
        self._following = following
        self._services = services
        # A list and now and then a future: an asyncio.Queue takes 3 KiB of each idle connection.
        self._inbox: list[ClientMessage | MalformedMessage] = []
        self._room: asyncio.Future[None] | None = None
        self._end: Gone | Close | None = None

    async def hold(self) -> None:
        """Talk until it ends: raises Gone or Close."""
        await self._frames.tell(Ready())
        async with self._listening():
            while True:
                self._check()
                if self._inbox:
                    await self._answer(self._take())
                await self._tell_changes()

    def _check(self) -> None:
        # Who is closed for what it says learns of each message what was wrong with it.
        if self._end is not None and (isinstance(self._end, Gone) or not self._inbox):
            raise self._end
        if ending := ending_of(self._feed, left_s=self._left_s()):
            raise Close(ending.close_code)

    def _left_s(self) -> float:
        return self._following.caller.left_s(now=self._services.clock.now())

    def _take(self) -> ClientMessage | MalformedMessage:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        return self._inbox.pop(0)

    async def _put(self, message: ClientMessage | MalformedMessage) -> None:
        """Into the inbox, once it has room."""
        while len(self._inbox) >= INBOX:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        self._inbox.append(message)
        self._feed.wake()

    async def _tell_changes(self) -> None:
        """What changed; waits for it unless there is something to answer, or it ends."""
        wait_s = 0.0 if self._inbox or self._end else min(self._left_s(), self._following.wait_s(), LONGEST_WAIT_S)
        for job in await self._feed.changes(timeout_s=wait_s):
            if message := await self._following.changed(job):
                await self._send(message)
        async for message in self._following.moved():
            await self._send(message)

    async def _send(self, message: bytes) -> None:
        """One of several: a slow reader may take long over them."""
        await self._frames.send(message)
        self._check()

    async def _answer(self, message: ClientMessage | MalformedMessage) -> None:
        match message:
            case MalformedMessage():
                await self._frames.tell(error_message(message))
            case Ping():
                await self._frames.tell(Pong())
            case Auth(token=token):
                await self._renew(token)
            case Subscribe():
                await self._subscribe(message)
            case Unsubscribe(job_id=job_id):
                if isinstance(job_id, str):
                    self._following.unsubscribe(job_id)
                else:
                    self._following.unsubscribe_all()
                await self._frames.tell(Unsubscribed(job_id=job_id, all=message.all))

    async def _subscribe(self, message: Subscribe) -> None:
        try:
            if isinstance(message.job_id, str):
                await self._frames.send(await self._following.subscribe(message.job_id))
            else:
                async for status in self._following.subscribe_all(since=message.since):
                    await self._send(status)
        except HaulierError as error:
            await self._frames.tell(error_message(error, job_id=message.job_id))
        else:
            cursor = self._following.cursor if message.all else UNSET
            await self._frames.tell(Subscribed(job_id=message.job_id, all=message.all, cursor=cursor))

    async def _renew(self, token: str) -> None:
        """Go on with a newer token of the same user; with one that is not, go on as before."""
        try:
            caller = await self._services.tokens.verify(token)
            if caller.user_id != self._following.caller.user_id:
                raise Unauthenticated(reason="the token is another user's", error="invalid_token")
        except HaulierError as error:
            await self._frames.tell(error_message(error))
        else:
            self._following.caller = caller
            await self._frames.tell(Ready())

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator[None]:
        """Fill the inbox during the block, and note how it ended."""

        async def listen() -> None:
            try:
                while True:
                    await self._put(await self._frames.read())
            except (Gone, Close) as end:
                self._end = end
                self._feed.wake()

        listener = asyncio.create_task(listen())
        try:
            yield
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
