"""Random histories again, looking closer: keys, changes of plan, hand-overs through the dispatcher's own function.

A failing run prints its steps as a program, and a line `@reproduce_failure(…)`: put that above the class
`CloserMachine` to run the same history again.
"""

import pytest
from hypothesis import settings

from tests.faults.closer_machine import CloserMachine, CloserWorld
from tests.faults.scale import scale
from tests.faults.test_state_machine import PROFILE, mutated

pytestmark = [pytest.mark.timeout(scale(fast=240, full=2_400))]

HISTORIES = scale(fast=60, full=5_000)
CLOSER = settings(PROFILE, max_examples=HISTORIES, derandomize=scale(fast=True, full=False))


def submit(file_id, *, user="anna", plan="free", key=None, joins=False):
    return lambda m: m.submit(user=user, plan=plan, file_id=file_id, key=key, joins=joins, told=True)


def submit_again(m):
    m.submit_again(0, "free", key=None, joins=False, told=True)


def announce(slots):
    return lambda m: m.announce(slots)


def cancel(n):
    return lambda m: m.cancel(n, "owner")


def hand_over(m):
    m.hand_over(told=True)


def claim(m):
    m.claim(1, "w1")


def beat(m):
    m.beat(1, 50)


def retry(m):
    m.give_up(1, "retry", 0.0)


def a_day_passes(m):
    m.advance(90_000.0)


FOUR_FILES = [submit(70_000 + n) for n in range(4)]
TO_PREMIUM = submit(70_000, key="k1", plan="premium")
FAULTS = {
    "an attempt begins with the progress of the last": (
        ("claim_job", "stage = '', done_bytes = 0, total_bytes = null, percent = 0,", ""),
        [announce(6), submit(70_000), claim, beat, retry, hand_over, claim],
    ),
    "the last job goes first": (
        ("take_for_hand_over", "order by jobs.fair_tag, jobs.id\n", "order by jobs.fair_tag desc\n"),
        [*FOUR_FILES, announce(6), hand_over],
    ),
    "a key that is over still means its old job": (
        ("submit_job", "v_is_joinable := v_claim.request_hash = v_asked.hash and ", "v_is_joinable := "),
        [submit(70_000, key="k1"), a_day_passes, submit(70_001, key="k1")],
    ),
    "a key that joined a job lets go of it": (
        ("submit_job", "where outcome = 'joined' and", "where false and"),
        [submit(70_000), submit(70_000, key="k1", joins=True), cancel(0), submit(70_000, key="k1", joins=True)],
    ),
    "a request without a key does not see the job of one that joins": (
        ("submit_job", "as also (key, hash, joins, place)\n", "as also (key, hash, joins, place) where false\n"),
        [submit(70_000, key="k1", joins=True), submit(70_000)],
    ),
    "a retry's job is none that its file's next request joins": (
        ("submit_job", "continue when v_is_joinable and not v_asked.joins;", "continue when not v_asked.joins;"),
        [submit(70_000), cancel(0), submit_again, submit(70_000)],
    ),
    "a job takes room in the role it was submitted under": (
        ("take_for_hand_over", ", role = next.role", ""),
        [*FOUR_FILES, TO_PREMIUM, announce(6), hand_over],
    ),
    "a user's first job is out of sight": (
        ("place_in_line", "least(head_tag, place_in_line.fair_tag)", "coalesce(head_tag, place_in_line.fair_tag)"),
        [*FOUR_FILES, announce(6), hand_over, cancel(0), cancel(1), cancel(2), submit(70_000)],
    ),
    "a direct hand-over ignores the window": (
        ("place_in_line", "(select count(*) from jobs where jobs.handed_at is not null) < engine_window()", "true"),
        [submit(70_000)],
    ),
    "a cancelled job's attempt stays open": (
        ("cancel_job", "outcome = 'cancelled' where", "outcome = 'cancelled' where false and"),
        [announce(6), submit(70_000), claim, cancel(0)],
    ),
}


@pytest.fixture
def world(database_url, valkey_url):
    world = CloserWorld(database_url, valkey_url)
    yield world
    world.close()


def test_no_history_breaks_a_promise_on_a_closer_look(world, record_property):
    CloserMachine.look(world, CLOSER)
    record_property("faults", [f"{HISTORIES} closer histories of up to 30 steps", HISTORIES, "–", 0, 0, 0, "–", "–"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_closer_look_finds_a_planted_fault(world, fault):
    """By a history of its own, which is fine without the fault."""
    function, history = FAULTS[fault]
    CloserMachine.play(world, history)
    world.define(mutated(*function))
    with pytest.raises(AssertionError):
        CloserMachine.play(world, history)
