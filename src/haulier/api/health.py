"""Whether the process lives, and whether it can serve: what load balancers and people ask."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from haulier import __version__
from haulier.api.patience import ANSWER_S
from haulier.clock import Clock
from haulier.errors import Unavailable
from haulier.observe.events import HEALTH_CHECK_FAILED
from haulier.observe.stalls import Stalls
from haulier.silence import answered_within
from haulier.wire import Health, HealthCheck

log = structlog.get_logger()

FRESH_S = 1.0
# Without these the API can accept or hand out nothing. Without the engine it accepts, and work waits.
NEEDED_BY_API = ("ledger", "storage")

_OK = HealthCheck("ok")
_SILENT = HealthCheck("failing", "does not answer")

Ping = Callable[[], Awaitable[None]]


class Unwell(Exception):
    """A ping's way to say what is wrong, in a few words that may be shown to anybody."""


async def loop_ping(stalls: Stalls) -> None:
    """Raise Unwell when the event loop stood still lately."""
    if stalls.recent:
        raise Unwell(stalls.recent)


def status_of(ready: Health) -> int:
    """The HTTP status of an answer to `/health/ready`."""
    return 503 if ready.status == "unready" else 200


class Checks:
    """Asks all dependencies at once, each for at most ANSWER_S, and remembers the answers for FRESH_S."""

    def __init__(self, pings: Mapping[str, Ping], *, clock: Clock, needed: Sequence[str] = NEEDED_BY_API) -> None:
        self._pings = pings
        self._needed = needed
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._answers: dict[str, HealthCheck] = {}

    async def alive(self) -> Health:
        """The process answers; `degraded` says that a dependency does not."""
        checks = await self._checks()
        return Health("ok" if all(check is _OK for check in checks.values()) else "degraded", __version__, checks)

    async def ready(self) -> Health:
        """As `alive`, but `unready` without what is needed."""
        health = await self.alive()
        if any(health.checks[name].status != "ok" for name in self._needed):
            return Health("unready", health.version, health.checks)
        return health

    async def _checks(self) -> dict[str, HealthCheck]:
        async with self._asking:
            if self._clock.monotonic() - self._asked_at >= FRESH_S:
                answers = await asyncio.gather(*(self._ask(name, ping) for name, ping in self._pings.items()))
                self._answers = dict(zip(self._pings, answers, strict=True))
                self._asked_at = self._clock.monotonic()
            return self._answers

    async def _ask(self, name: str, ping: Ping) -> HealthCheck:
        try:
            async with answered_within(ANSWER_S):
                await ping()
        except (Unavailable, TimeoutError):
            return _SILENT
        except Unwell as error:
            return HealthCheck("failing", str(error))
        except Exception:
            log.exception(HEALTH_CHECK_FAILED, check=name)
            return _SILENT
        return _OK
