"""One log line for each request, and for each WebSocket: method, route (never the path or query), status, duration.

JSON lines are written past structlog's processors: its chain costs as much as the rest of a status request, and what is
written here holds no secret by construction.
"""

import sys

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from haulier.api.exchange import Exchange
from haulier.clock import Clock, wire_time
from haulier.observe.events import REQUEST
from haulier.settings import Settings

log = structlog.get_logger()


class _Line(msgspec.Struct, kw_only=True):
    """The fields of a line, named as structlog names them."""

    method: str
    route: str
    status: int
    duration_ms: float
    request_id: str
    timestamp: str
    event: str = REQUEST
    level: str = "info"
    trace_id: str = ""
    job_id: str = ""
    close_code: int | UnsetType = UNSET


class RequestLog:
    """Writes the lines, in the form and from the level that the settings say."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._clock = clock
        self._is_on = settings.log_level in ("debug", "info")
        self._as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
        self._encoder = msgspec.json.Encoder()

    def write(self, exchange: Exchange, *, duration_s: float) -> None:
        """Write the line of an exchange that is over."""
        if not self._is_on:
            return
        duration_ms = round(duration_s * 1_000, 2)
        method, route, status = exchange.scope["method"], exchange.route, exchange.status
        job_id = exchange.scope.get("path_params", {}).get("job_id", "")[:36]
        if not self._as_json:
            facts = {} if exchange.close_code is None else {"close_code": exchange.close_code}
            log.info(
                REQUEST, method=method, route=route, status=status, duration_ms=duration_ms, job_id=job_id, **facts
            )
            return
        line = _Line(
            method=method,
            route=route,
            status=status,
            duration_ms=duration_ms,
            request_id=exchange.request_id,
            trace_id=exchange.trace_id,
            timestamp=wire_time(self._clock.now()),
            job_id=job_id,
            close_code=UNSET if exchange.close_code is None else exchange.close_code,
        )
        sys.stderr.write(self._encoder.encode(line).decode() + "\n")
