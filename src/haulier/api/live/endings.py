"""Why a live connection ends before what it is about, decided once for event streams and WebSockets."""

from enum import Enum

from haulier.live import Feed
from haulier.wire_live import CloseCode

SLOW_S = 20.0  # a client that takes nothing for so long is dropped


class Ending(Enum):
    """What is said of it: `code` and `sentence` in an event stream, `close_code` on a WebSocket."""

    STOPPING = ("stopping", "This server stops. Connect again in a moment.", CloseCode.STOPPING)
    EXPIRED = ("token_expired", "The token has expired. Connect again with a new one.", CloseCode.EXPIRED)
    OVERRUN = ("too_slow", "More changed than could be sent. Connect again.", CloseCode.TOO_SLOW)

    def __init__(self, code: str, sentence: str, close_code: CloseCode) -> None:
        self.code = code
        self.sentence = sentence
        self.close_code = close_code


def ending_of(feed: Feed, *, left_s: float) -> Ending | None:
    """Why the connection that `feed` belongs to has to end now; `left_s` is how long its token is good for."""
    if feed.closed:
        return Ending.STOPPING
    if left_s <= 0:
        return Ending.EXPIRED
    return Ending.OVERRUN if feed.overrun else None
