"""uvicorn's WebSocket protocol, for clients that do not behave: none can make us keep what it does not take."""

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from haulier.api.protocol import ABORT
from haulier.wire_live import CloseCode

if TYPE_CHECKING:
    from websockets.frames import Frame
    from websockets.http11 import Request

PING_S = 20.0  # below the idle limit of any proxy: some cut at 30 s
CLOSE_S = 5.0
MOST_FRAGMENTS = 1_000  # of one message
NO_TEXT = 1007

_BAD_HEAD = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 16\r\n\r\nHeader too large"
)


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """What is written to a client that does not read never leaves, and closing waits for it: here for CLOSE_S."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Its parser takes lines of 8 KiB, ours of HTTP longer ones; it says nothing and waits for more.
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(_BAD_HEAD)
            self.transport.close()

    def handle_connect(self, event: "Request") -> None:
        super().handle_connect(event)
        if not self.handshake_complete:
            self.scope[ABORT] = self.transport.abort  # pyright: ignore[reportGeneralTypeIssues]

    async def send(self, message: Any) -> None:
        # uvicorn would take each of these for a defect of the application: a client that left, or was refused.
        if self.transport.is_closing() and not self.handshake_complete:
            self.handshake_complete = True
            raise ClientDisconnected
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)
        if self.close_sent and self.initial_response is not None:
            self.handshake_complete = True
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(CLOSE_S, self.transport.abort)

    def handle_ping(self) -> None:
        super().handle_ping()
        if not self.writable.is_set() and not self.read_paused:  # it does not read our pongs: no more of its pings
            self.read_paused = True
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    def handle_cont(self, event: "Frame") -> None:
        if self.close_sent:
            return
        super().handle_cont(event)
        if len(self.frames) > MOST_FRAGMENTS:  # empty ones count nothing towards the size of a message
            self.frames = []
            self.conn.fail(CloseCode.TOO_LARGE, "A message may have 1,000 frames.")
            self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:  # uvicorn would log it as a defect
                self.frames = []
                self.conn.fail(NO_TEXT, "A text is UTF-8.")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_close(self, event: "Frame") -> None:
        super().handle_close(event)
        self._leave()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._leave()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._leave()

    def shutdown(self) -> None:
        super().shutdown()
        self._leave()

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            self.loop.call_later(CLOSE_S, self.transport.abort)
