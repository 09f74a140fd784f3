"""Whether the runner is in contact with Redis: for health, and for the watchdog over BullMQ's loop."""

from datetime import datetime

import msgspec
import structlog

from haulier.clock import Clock
from haulier.observe.events import ENGINE_ERROR

log = structlog.get_logger()

STARTING = "The engine was not reached yet."
STOPPED = "No more jobs are taken."


class RunnerState(msgspec.Struct, frozen=True):
    """Whether jobs are being taken; if not, `error` is a sentence. `since` is when that changed last."""

    running: bool
    error: str
    since: datetime


class Contact:
    """The outcome of the last call to Redis, and when BullMQ's loop last did something."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen_s = clock.monotonic()
        self._stopped = False
        self.state = RunnerState(running=False, error=STARTING, since=clock.now())

    def well(self) -> None:
        """Redis answered."""
        if not self.state.running and not self._stopped:
            self.state = RunnerState(running=True, error="", since=self._clock.now())

    def failed(self, error: BaseException) -> None:
        """A call failed. Logged once for an outage, not ten times a second."""
        if self._stopped:
            return
        sentence = f"{type(error).__name__}: {str(error)[:200]}"
        if self.state.running or self.state.error == STARTING:
            log.warning(ENGINE_ERROR, error=type(error).__name__, detail=str(error)[:200])
            self.state = RunnerState(running=False, error=sentence, since=self._clock.now())
        elif self.state.error != sentence:
            self.state = RunnerState(running=False, error=sentence, since=self.state.since)

    def stopped(self) -> None:
        """No jobs are taken any more, on purpose; what comes later changes nothing."""
        if not self._stopped:
            self._stopped = True
            self.state = RunnerState(running=False, error=STOPPED, since=self._clock.now())

    def sign(self) -> None:
        """BullMQ's loop did something, whether it succeeded or not."""
        self._seen_s = self._clock.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of BullMQ's loop."""
        return self._clock.monotonic() - self._seen_s
