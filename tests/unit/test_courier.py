"""The courier against fakes: what it asks of the ledger, and what it makes of senders that misbehave."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import structlog

from haulier.clock import SYSTEM_CLOCK
from haulier.errors import LedgerUnavailable
from haulier.ledger import Channel, Claimed, Delivery, Finished
from haulier.notify import courier as module
from haulier.notify.courier import Courier
from haulier.notify.port import Busy, Delivered
from haulier.observe import events
from haulier.sealing import Sealer
from haulier.settings import Secret
from tests.builders import NOW
from tests.waiting import eventually

SEALER = Sealer([Secret("k" * 32)])


def claimed(kind: str = "webhook", *, failing: bool = False) -> Claimed:
    channel_id = uuid4()
    delivery = Delivery(
        id=uuid4(), channel_id=channel_id, job_id=None, job_version=None, event="test", at=NOW, status="sending",
        attempts=1, tries=1, due_at=None, ended_at=None,
    )  # fmt: skip
    channel = Channel(
        id=channel_id, user_id="anna", kind=kind, label="", target="t", events=(), every_job=True, confirmed=True,
        sealed=SEALER.seal(channel_id, {"url": "u"}), failing_since=NOW if failing else None, disabled_at=None,
        disabled_reason=None, stopped_at=None, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return Claimed(delivery, channel, None)


@dataclass
class Outbox:
    """Gives `due` once, as much as is asked for; `away` calls fail before an end is written."""

    due: list[Claimed] = field(default_factory=list)
    away: int = 0
    asked: int = 0
    ended: list[Finished] = field(default_factory=list)
    back: list[timedelta] = field(default_factory=list)

    async def claim(self, *, kinds: list[str], most: int, failing: int, **_: Any) -> list[Claimed]:
        self.asked += 1
        of_kind = [each for each in self.due if each.channel.kind in kinds]
        fail = [each for each in of_kind if each.channel.failing_since]
        found = [each for each in of_kind if each not in fail[failing:]][:most]
        self.due = [each for each in self.due if each not in found]
        return found

    async def take_back(self, **_: Any) -> int:
        return 0

    async def finish(self, _delivery: Delivery, ended: Finished, **_: Any) -> tuple[bool, bool]:
        if self.away:
            self.away -= 1
            raise LedgerUnavailable
        self.ended.append(ended)
        return True, False

    async def hand_back(self, _delivery: Delivery, *, wait: timedelta = timedelta()) -> bool:
        self.back.append(wait)
        return True

    async def sealed_otherwise(self, _mark: bytes, **_: Any) -> list[Any]:
        return []


class Ledger:
    def __init__(self, outbox: Outbox) -> None:
        self.deliveries = self.channels = outbox


class Sender:
    def __init__(self, send: Any, *, repeatable: bool = True, begins: bool = True, room: int = 64) -> None:
        self.repeatable = repeatable
        self.room = room
        self._begins = begins
        self._send = send

    async def send(self, notice: Any, /, *, begun: Any) -> Any:
        if self._begins:
            begun()
        return await self._send(notice)


def courier(outbox: Outbox, sender: Sender, *, sealer: Sealer = SEALER, **others: Sender) -> Courier:
    return Courier(
        ledger=Ledger(outbox),  # type: ignore[arg-type]
        senders={"webhook": sender, **others},
        sealer=sealer,
        clock=SYSTEM_CLOCK,
        rng=Random(1),
    )


async def ended(outbox: Outbox, sender: Sender) -> Finished:
    async with courier(outbox, sender).running(grace_s=1):
        await eventually(lambda: outbox.ended)
    return outbox.ended[0]


async def arrives(notice: Any) -> Delivered:
    assert notice.secret == {"url": "u"}
    return Delivered(200)


async def crashes(_: Any) -> Any:
    raise ZeroDivisionError


async def hangs(_: Any) -> Any:
    await asyncio.Event().wait()


async def test_without_a_key_nothing_is_taken():
    outbox = Outbox([claimed()])
    keyless = courier(outbox, Sender(arrives), sealer=Sealer([]))
    async with keyless.running(grace_s=1):
        keyless.nudge()
        await asyncio.sleep(0)
    assert outbox.asked == 0


async def test_a_nudge_is_answered_before_the_next_poll(monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 60)
    outbox = Outbox()
    waiting = courier(outbox, Sender(arrives))
    async with waiting.running(grace_s=1):
        await eventually(lambda: outbox.asked)
        outbox.due = [claimed()]
        waiting.nudge()
        assert (await eventually(lambda: outbox.ended))[0].answer == 200


@pytest.mark.parametrize("misbehaves", [crashes, hangs])
@pytest.mark.parametrize(
    ("repeatable", "begins", "outcome"),
    [(True, True, "again"), (False, True, "unknown"), (False, False, "again")],
)
async def test_a_sender_that_misbehaves_harms_only_its_own_delivery(
    monkeypatch, misbehaves, repeatable, begins, outcome
):
    monkeypatch.setattr(module, "SEND_S", 0.05)
    sender = Sender(misbehaves, repeatable=repeatable, begins=begins)
    end = await ended(Outbox([claimed()]), sender)
    assert (end.outcome, end.counts and outcome == "again") == (outcome, False)


async def test_a_channel_that_cannot_be_read_here_is_not_to_blame_for_it():
    outbox = Outbox([claimed()])
    async with courier(outbox, Sender(arrives), sealer=Sealer([Secret("x" * 32)])).running(grace_s=1):
        await eventually(lambda: outbox.ended)
    (end,) = outbox.ended
    assert (end.outcome, end.counts) == ("again", False)


async def test_what_a_crash_says_is_not_logged():
    async def tells(notice: Any) -> Any:
        raise ValueError(f"cannot reach https://example.com/{notice.secret}")

    with structlog.testing.capture_logs() as lines:
        await ended(Outbox([claimed()]), Sender(tells))
    crash = next(line for line in lines if line["event"] == events.SENDER_CRASHED)
    assert (crash["error"], crash["where"][-1].startswith("test_courier.py:")) == ("ValueError", True)
    assert "example.com" not in repr(lines)


async def test_an_end_is_written_when_the_ledger_is_back(monkeypatch):
    monkeypatch.setattr(module, "LEDGER_RETRY_S", 0)
    assert (await ended(Outbox([claimed()], away=3), Sender(arrives))).outcome == "delivered"


async def test_at_shutdown_what_is_being_sent_gets_its_time_and_no_more():
    outbox, go_on = Outbox([claimed()]), asyncio.Event()

    async def slow(_: Any) -> Delivered:
        await go_on.wait()
        return Delivered(200)

    sending = courier(outbox, Sender(slow))
    async with sending.running(grace_s=30):
        await eventually(lambda: not outbox.due)
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert len(outbox.ended) == 1

    outbox = Outbox([claimed()])
    async with courier(outbox, Sender(hangs)).running(grace_s=0):
        await eventually(lambda: not outbox.due)
    assert (outbox.ended, outbox.back) == ([], [])


@pytest.mark.parametrize("begins", [True, False])
async def test_at_shutdown_what_was_not_begun_is_handed_back_and_nothing_else(begins):
    outbox = Outbox([claimed(), claimed()])
    async with courier(outbox, Sender(hangs, repeatable=False, begins=begins)).running(grace_s=0):
        await eventually(lambda: not outbox.due)
    assert (outbox.ended, outbox.back) == ([], [] if begins else [timedelta()] * 2)


async def test_a_claim_that_is_under_way_at_shutdown_is_not_cut_off():
    outbox, asked, go_on = Outbox(), asyncio.Event(), asyncio.Event()

    async def slow(**_: Any) -> list[Claimed]:
        asked.set()
        await go_on.wait()
        return [claimed()]

    outbox.claim = slow  # type: ignore[method-assign]
    async with courier(outbox, Sender(arrives)).running(grace_s=5):
        await asked.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert [each.outcome for each in outbox.ended] == ["delivered"]


async def test_for_lack_of_room_a_delivery_is_handed_back_for_a_moment_and_no_attempt_of_it_ends():
    async def busy(_: Any) -> Busy:
        return Busy()

    outbox = Outbox([claimed()])
    async with courier(outbox, Sender(busy)).running(grace_s=1):
        await eventually(lambda: outbox.back)
    assert (outbox.ended, outbox.back) == ([], [module.BUSY])


async def test_a_kind_whose_messages_hang_fills_its_own_room_and_holds_up_no_other():
    outbox = Outbox([*(claimed("email") for _ in range(5)), claimed("webhook")])
    sending = courier(outbox, Sender(arrives), email=Sender(hangs, room=2))
    async with sending.running(grace_s=0):
        await eventually(lambda: outbox.ended)
        assert [each.channel.kind for each in outbox.due] == ["email"] * 3


async def test_channels_that_are_known_to_fail_never_fill_more_than_half_a_room():
    failing = [claimed(failing=True) for _ in range(5)]
    outbox = Outbox([*failing])

    async def hangs_where_it_fails(notice: Any) -> Any:
        return await (hangs if notice.channel_id in {each.channel.id for each in failing} else arrives)(notice)

    sending = courier(outbox, Sender(hangs_where_it_fails, room=4))
    async with sending.running(grace_s=0):
        await eventually(lambda: len(outbox.due) == 3)
        outbox.due += [claimed() for _ in range(6)]
        sending.nudge()
        await eventually(lambda: len(outbox.ended) == 6)
        assert outbox.due == failing[2:]
