"""Random histories of jobs against the model: a few hundred here, 10,000 in `make faults`.

A failing run prints its steps as a program, and a line `@reproduce_failure(…)`: put that above the class `Machine` to
run the same history again.
"""

from importlib import resources

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import Machine
from tests.faults.scale import scale
from tests.faults.world import World

pytestmark = [pytest.mark.timeout(scale(fast=240, full=2_400))]

EXAMPLES = scale(fast=120, full=10_000)
PROFILE = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
# Finding a planted fault: no shrinking, the first counterexample is enough.
SEARCH = settings(PROFILE, max_examples=1_000, phases=[Phase.generate], derandomize=True)


@pytest.fixture
def world(database_url, valkey_url):
    world = World(database_url, valkey_url)
    yield world
    world.close()


def run(world: World, profile: settings) -> None:
    Machine.world = world
    run_state_machine_as_test(Machine, settings=profile)


def test_no_history_breaks_a_promise(world, record_property):
    run(world, PROFILE)
    record_property("faults", [f"{EXAMPLES} random histories of up to 30 steps", EXAMPLES, "–", 0, 0, 0, "–", "–"])


def mutated(function: str, sound: str, broken: str) -> str:
    text = resources.files("haulier.ledger").joinpath("functions", f"{function}.sql").read_text()
    assert sound in text
    return text.replace(sound, broken)


@pytest.mark.parametrize(
    ("function", "sound", "broken"),
    [
        ("claim_job", "handover = p_handover and", "true and"),
        ("put_in_line", "head_tag = least(head_tag, first.tag)", "head_tag = head_tag"),
        ("place_in_line", "user_id = p_user and jobs.handed_at is not null) < p_running", "false) < p_running"),
        ("cancel_job", "set used = used - 1", "set used = used"),
        ("complete_job", "attempt = p_attempt and status", "status"),
    ],
)
def test_the_machine_finds_a_planted_fault(world, function, sound, broken):
    world.define(mutated(function, sound, broken))
    with pytest.raises(AssertionError):
        run(world, SEARCH)
