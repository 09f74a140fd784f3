"""`/ws`: a WebSocket from its handshake to its end, as an ASGI application."""

import asyncio

import structlog
from starlette.types import Receive, Scope, Send

from haulier.api.auth import Caller
from haulier.api.endpoint import SCOPE_KEY
from haulier.api.exchange import Exchange
from haulier.api.live.conversation import Conversation, error_message
from haulier.api.live.following import Following
from haulier.api.live.frames import Close, Frames, Gone
from haulier.api.live.handshake import caller_of
from haulier.api.services import Services
from haulier.errors import HaulierError, TooManyStreams, Unauthenticated, Unavailable, UpgradeRequired
from haulier.observe.events import STREAM_TOO_SLOW
from haulier.wire_live import AUTH_WITHIN_S, Auth, CloseCode

log = structlog.get_logger()

PATH = "/ws"
MOST_UNKNOWN = 1_000  # connections that have not said who they are yet


class WebSocket:
    """Refuses with an HTTP answer what it can refuse before it accepts; later with a close code."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._unknown = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH
        if scope["type"] != "websocket":
            exchange.extra_headers += [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
            raise UpgradeRequired
        await receive()  # websocket.connect
        frames = Frames(scope, receive, send, clock=self._services.clock)
        try:
            await self._talk(frames, await caller_of(exchange, self._services))
        except Gone as gone:
            exchange.close_code = gone.code
        except Close as close:
            exchange.close_code = close.code
            if close.code is CloseCode.TOO_SLOW:
                log.info(STREAM_TOO_SLOW, kind="websocket")
            await frames.close(close.code)
        except Exception:
            if frames.accepted:
                exchange.close_code = CloseCode.FAILED
                await frames.close(CloseCode.FAILED)
            raise

    async def _talk(self, frames: Frames, caller: Caller | None) -> None:
        if caller is None:
            caller = await self._introduced(frames)
        try:
            with self._services.feeds.open(user_id=caller.user_id, unlimited=caller.is_admin) as feed:
                await frames.accept()
                following = Following(feed, self._services, caller=caller)
                await Conversation(frames, feed, following, self._services).hold()
        except (TooManyStreams, Unavailable) as error:
            if not frames.accepted:
                raise
            await frames.tell(error_message(error))
            raise Close(_code_of(error)) from None

    async def _introduced(self, frames: Frames) -> Caller:
        """Who the first message says. Raises Close unless it comes in time and holds a valid token."""
        if self._unknown >= MOST_UNKNOWN:
            raise Unavailable
        self._unknown += 1
        try:
            await frames.accept()
            async with asyncio.timeout(AUTH_WITHIN_S):
                message = await frames.read()
            if not isinstance(message, Auth):
                raise Unauthenticated(reason="the first message must be one of type auth")
            return await self._services.tokens.verify(message.token)
        except TimeoutError:
            raise Close(CloseCode.UNAUTHENTICATED) from None
        except HaulierError as error:
            await frames.tell(error_message(error))
            raise Close(_code_of(error)) from None
        finally:
            self._unknown -= 1


def _code_of(error: HaulierError) -> CloseCode:
    if isinstance(error, TooManyStreams):
        return CloseCode.FLOODING
    return CloseCode.TRY_LATER if isinstance(error, Unavailable) else CloseCode.UNAUTHENTICATED
