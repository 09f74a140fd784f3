"""What the verdict of a sender makes of its delivery. Pure."""

from datetime import timedelta
from random import Random

from haulier.ledger import Finished
from haulier.notify.port import Delivered, GiveUp, TryAgain
from haulier.notify.schedule import pause_of, wait_after

REASON_LENGTH = 300


def ended_by(verdict: Delivered | GiveUp | TryAgain, *, tries: int, took: timedelta, rng: Random) -> Finished:
    """What a verdict about the `tries`-th attempt (from 1) makes of its delivery."""
    match verdict:
        case Delivered(answer):
            return Finished(outcome="delivered", answer=answer, duration=took)
        case GiveUp(reason, answer, disable, unknown, ours):
            outcome = "unknown" if unknown else "failed"
            return Finished(
                outcome=outcome,
                reason=_plain(reason),
                answer=answer,
                duration=took,
                disable=disable and not unknown,
                counts=not ours,
            )
        case TryAgain(reason, answer, after_s, ours):
            wait, pause = wait_after(tries, rng=rng), pause_of(after_s, rng=rng)
            return Finished(
                outcome="failed" if wait is None else "again",
                reason=_plain(reason),
                answer=answer,
                duration=took,
                wait=max(wait or timedelta(), pause or timedelta()),
                pause=pause,
                counts=not ours,
            )


def _plain(reason: str) -> str:
    """Printable, and short enough for a log line."""
    return "".join(character if character.isprintable() else " " for character in reason)[:REASON_LENGTH]
