"""The frames of one WebSocket: messages of the client read and counted, ours sent in time, and its end."""

import asyncio
from typing import get_args

import msgspec
from starlette.types import Receive, Scope, Send

from haulier.api.bodies import one_of
from haulier.api.live.endings import SLOW_S
from haulier.api.live.pacing import Bucket
from haulier.api.live.websocket_protocol import CLOSE_S
from haulier.api.protocol import abort_of
from haulier.clock import Clock
from haulier.errors import InvalidRequest, MalformedMessage
from haulier.wire_live import (
    MALFORMED_MESSAGES,
    MESSAGES_AT_ONCE,
    MESSAGES_PER_S,
    ClientMessage,
    CloseCode,
    ServerMessage,
    Subscribe,
)

COST_OF_ALL = 10.0  # a list out of the ledger, where another message costs a look at what is known

_NOT_JSON = "it is not JSON"
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(ClientMessage)


class Gone(Exception):
    """The client closed the connection, or lost it; `code` is what it said."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class Close(Exception):
    """The connection is to be closed with `code`."""

    def __init__(self, code: CloseCode) -> None:
        self.code = code
        super().__init__(code)


def parse(text: str | None) -> ClientMessage:
    """The message in a frame's text (None: the frame was binary). Raises MalformedMessage with what is wrong."""
    if text is None:
        raise MalformedMessage(reason="send JSON as text")
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError:
        raise MalformedMessage(reason=_wrong_in(text)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise MalformedMessage(reason=_NOT_JSON) from None


def _wrong_in(text: str) -> str:
    """What keeps a text from being a message."""
    try:
        one_of(get_args(ClientMessage), msgspec.json.decode(text), tag="type")
    except InvalidRequest as error:
        pointer, problem = error.problems[0]
        return f"{pointer[1:] or 'it'} {problem}"
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _NOT_JSON
    return "it is no message"


class Frames:
    """Reads and writes; a reader and a writer may work side by side."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, clock: Clock) -> None:
        self._receive = receive
        self._send = send
        self._abort = abort_of(scope)
        self._bucket = Bucket(per_s=MESSAGES_PER_S, burst=MESSAGES_AT_ONCE, clock=clock)
        self._malformed = 0
        self.accepted = False

    async def accept(self) -> None:
        """Answer the handshake, unless that is done."""
        if not self.accepted:
            self.accepted = True
            await self._send_in_time({"type": "websocket.accept"})

    async def read(self) -> ClientMessage | MalformedMessage:
        """The next message, or what is wrong with it. Raises Gone, and Close for a client that floods or babbles."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone(message.get("code", 1005))
        if not self._bucket.take():
            raise Close(CloseCode.FLOODING)
        try:
            known = parse(message.get("text"))
        except MalformedMessage as error:
            self._malformed += 1
            if self._malformed >= MALFORMED_MESSAGES:
                raise Close(CloseCode.MALFORMED) from None
            return error
        if isinstance(known, Subscribe) and known.all and not self._bucket.take(COST_OF_ALL):
            raise Close(CloseCode.FLOODING)
        return known

    async def tell(self, message: ServerMessage) -> None:
        await self.send(_ENCODER.encode(message))

    async def send(self, message: bytes) -> None:
        """Send a message that is JSON already. Raises Gone, and Close when the client takes nothing for SLOW_S."""
        await self._send_in_time({"type": "websocket.send", "text": message.decode()})

    async def _send_in_time(self, message: dict[str, str]) -> None:
        try:
            async with asyncio.timeout(SLOW_S):
                await self._send(message)
        except TimeoutError:
            raise Close(CloseCode.TOO_SLOW) from None
        except OSError:
            raise Gone(1006) from None

    async def close(self, code: CloseCode) -> None:
        """Say goodbye; a client that does not take even that is cut off after CLOSE_S."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._send({"type": "websocket.close", "code": int(code), "reason": code.reason})
        except TimeoutError:
            self._abort()
        except OSError:
            pass
