"""Named places where a test can kill, delay or raise.

In production nothing happens at them, and nothing can be switched on: there is no setting and no variable, only
`acting`, which a test's own program calls.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from enum import StrEnum


class Point(StrEnum):
    """Where. Between each of these and the next step a process may die, and nothing accepted may be lost."""

    SUBMITTED = "submitted"  # the job is committed, the client not answered
    MARKED = "marked"  # marked in the ledger as handed over, the engine not told
    HANDED_OVER = "handed_over"  # the engine has it
    CLAIMED = "claimed"  # an attempt has begun
    PART_SENT = "part_sent"  # a piece of the artefact is with the store
    STORED = "stored"  # the artefact is stored and verified, the completion not committed
    COMMITTED = "committed"  # the completion is committed, nobody told
    DELIVERY_CLAIMED = "delivery_claimed"  # a courier has a delivery, nothing was sent
    DELIVERY_SENT = "delivery_sent"  # it was sent, the ledger does not know


Act = Callable[[Point], Awaitable[None]]


async def _nothing(_: Point) -> None:
    """What happens in production."""


class _Stage:
    act: Act = staticmethod(_nothing)


async def reached(point: Point) -> None:
    """The program is at `point`."""
    await _Stage.act(point)


@contextmanager
def acting(act: Act) -> Generator[None]:
    """Call `act` at every point during the block. For tests."""
    before = _Stage.act
    _Stage.act = staticmethod(act)
    try:
        yield
    finally:
        _Stage.act = staticmethod(before)
