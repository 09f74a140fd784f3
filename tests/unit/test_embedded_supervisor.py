"""Children: restarted when they die, stopped gracefully, killed when they do not listen."""

import asyncio
import os

import pytest

from haulier.embedded.process import Child, Command
from haulier.embedded.readiness import until_ready
from haulier.embedded.supervisor import Backoff, Supervisor
from haulier.errors import ConfigurationError
from tests.waiting import until

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def shell(script, **options):
    return Command(name="child", argv=("sh", "-c", script), environ={"PATH": os.defpath}, **options)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def no_sleep(_seconds):
    await asyncio.sleep(0)


def test_pauses_double_up_to_half_a_minute():
    backoff = Backoff()
    assert [backoff.pause_s(lived_s=0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_stable_life_begins_the_pauses_anew():
    backoff = Backoff()
    for _ in range(5):
        backoff.pause_s(lived_s=29.9)
    assert backoff.pause_s(lived_s=30) == 0.5
    assert backoff.pause_s(lived_s=0) == 1


async def test_a_child_that_dies_is_started_again(tmp_path):
    async with Supervisor(sleep=no_sleep) as supervisor:
        kept = supervisor.keep(shell("echo life >>lives; exit 3", folder=tmp_path))
        await until(lambda: kept.deaths >= 3)
        assert kept.last_words == "exit code 3"
    assert (tmp_path / "lives").read_text().count("life") >= 3


async def test_a_command_that_does_not_exist_is_a_death_with_a_reason(tmp_path):
    async with Supervisor(sleep=no_sleep) as supervisor:
        kept = supervisor.keep(shell("", folder=tmp_path / "missing"))
        await until(lambda: kept.deaths >= 1)
    assert "missing" in kept.last_words


async def test_the_end_of_the_block_stops_the_child(tmp_path):
    async with Supervisor() as supervisor:
        kept = supervisor.keep(
            shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done", log=tmp_path / "log")
        )
        await until(lambda: "ready" in _text(tmp_path / "log"))
        pid = kept.pid
    assert not alive(pid)
    assert _text(tmp_path / "log").endswith("bye\n")


async def test_a_child_that_does_not_listen_is_killed_after_its_grace_time(tmp_path):
    child = await Child.start(shell(STUBBORN, log=tmp_path / "log", grace_s=0.05))
    await until(lambda: "ready" in _text(tmp_path / "log"))
    assert await child.stop(hurry=asyncio.Event()) == -9


async def test_hurry_does_not_wait_for_the_grace_time(tmp_path):
    hurry = asyncio.Event()
    child = await Child.start(shell(STUBBORN, log=tmp_path / "log", grace_s=600))
    await until(lambda: "ready" in _text(tmp_path / "log"))
    hurry.set()
    assert await child.stop(hurry=hurry) == -9


async def test_nobody_starts_in_a_folder_before_the_last_descendant_of_the_predecessor_has_ended(tmp_path):
    claim, log = tmp_path / "lock", tmp_path / "log"
    first = await Child.start(shell("(sleep 0.3; echo descendant) & exit 0", claim=claim, log=log))
    await first.wait()
    second = await Child.start(shell("echo successor", claim=claim, log=log))
    await second.wait()
    assert _text(log).split() == ["descendant", "successor"]


async def test_leftovers_are_removed_before_a_start(tmp_path):
    leftover = tmp_path / "server.pid"
    leftover.write_text("1")
    child = await Child.start(
        shell("test ! -e server.pid", folder=tmp_path, claim=tmp_path / "lock", leftovers=(leftover,))
    )
    assert await child.wait() == 0


async def test_a_child_that_keeps_dying_is_not_waited_for_and_its_log_is_quoted(tmp_path):
    async with Supervisor(sleep=no_sleep) as supervisor:
        kept = supervisor.keep(shell("echo out of luck; exit 1", log=tmp_path / "log"))
        with pytest.raises(ConfigurationError, match="out of luck"):
            await until_ready(kept, never)


async def test_a_child_that_never_gets_ready_is_given_up_with_the_reason(tmp_path):
    async with Supervisor() as supervisor:
        kept = supervisor.keep(shell("exec sleep 600"))
        with pytest.raises(ConfigurationError, match=r"not ready after 0\.05 s: still loading"):
            await until_ready(kept, never, within_s=0.05, why=lambda: ": still loading")


async def never():
    return False


def _text(path):
    return path.read_text() if path.exists() else ""
