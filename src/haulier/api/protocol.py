"""uvicorn's fast HTTP protocol with a limit on what a client may send before its request is one."""

from collections.abc import Callable

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from haulier.errors import HeadersTooLarge

LIMIT_BYTES = 32_768
MOST_WAITING = 100  # requests of one connection that were sent ahead of their answers
ABORT = "haulier.abort"  # in the scope: ends the connection at once
_TITLE = HeadersTooLarge.title.encode()
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n\r\n%b" % (len(_TITLE), _TITLE)
)


def abort_of(scope: Scope) -> Callable[[], None]:
    """What ends the connection of this scope at once; nothing where no server of ours is behind it."""
    return scope.get(ABORT, lambda: None)


class BoundedHttpProtocol(HttpToolsProtocol):
    """httptools collects heads of any length; this one answers 431 and hangs up at LIMIT_BYTES.

    uvicorn keeps any number of requests that wait for answers before theirs; this one hangs up at MOST_WAITING.
    """

    _head_bytes = 0
    _open_bytes = 0  # in pieces that held nothing but one head
    _in_head = False
    _begun_now = False

    def data_received(self, data: bytes) -> None:
        self._begun_now = False
        super().data_received(data)
        # A header that never ends is not seen by on_header. What else a piece holds, a body say, is not of the head.
        if self._in_head and not self._begun_now:
            self._open_bytes += len(data)
            if self._open_bytes > LIMIT_BYTES:
                self._head_bytes = self._open_bytes
                self.send_400_response("")

    def on_message_begin(self) -> None:
        self._head_bytes = self._open_bytes = 0
        self._in_head = self._begun_now = True
        super().on_message_begin()
        # What is written to a client that does not read never leaves: closing would wait for it.
        self.scope[ABORT] = self.transport.abort  # pyright: ignore[reportGeneralTypeIssues]

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if len(self.pipeline) > MOST_WAITING:
            raise ValueError("too many requests wait")  # the parser stops, and asks for send_400_response

    def handle_websocket_upgrade(self) -> None:
        # The answer before it would go on into the WebSocket, and never hear that the client has left.
        if self.cycle and not self.cycle.response_complete:  # there is none before the first request
            self.transport.abort()
        else:
            super().handle_websocket_upgrade()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LIMIT_BYTES:
            raise ValueError("the head is too large")  # the parser stops, and asks for send_400_response

    def send_400_response(self, msg: str) -> None:
        if len(self.pipeline) > MOST_WAITING:
            self.transport.abort()
        elif self._head_bytes <= LIMIT_BYTES:
            super().send_400_response(msg)
        elif not self.transport.is_closing():
            self.transport.write(_ANSWER)
            self.transport.close()
