"""`up`: what it needs from the user, what it says when it cannot start, and how it ends."""

import asyncio
import os
import signal
import socket
import sys

import httpx
import pytest

from haulier.embedded.home import Home, running_environment
from haulier.embedded.ports import free_port
from haulier.embedded.up import UpOptions, up
from tests.servers import running_postgres, running_valkey

pytestmark = pytest.mark.timeout(120)


class Words:
    """What was said, in order."""

    def __init__(self):
        self.lines = []
        self.something = asyncio.Event()

    def __call__(self, text):
        self.lines.append(text)
        self.something.set()

    def __str__(self):
        return "\n".join(self.lines)


def environment(**settings):
    return {name: value for name, value in os.environ.items() if not name.startswith("HAULIER_")} | settings


def options(home, **given):
    return UpOptions(**({"home": home, "port": free_port(), "environ": environment()} | given))


async def refused(given):
    """What `up` complains about when it does not start."""
    complaints = Words()
    assert await up(given, say=Words(), complain=complaints) == 1
    return str(complaints)


async def test_a_taken_port_is_named_with_the_way_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = await refused(options(tmp_path, port=port))
    assert f"port {port}" in told
    assert "--port or HAULIER_PORT" in told


async def test_an_address_of_another_machine_is_named(tmp_path):
    assert "192.0.2.1" in await refused(options(tmp_path, host="192.0.2.1"))


async def test_a_home_in_use_is_told_before_anything_starts(tmp_path):
    home = Home(tmp_path / "home")
    with home.held():
        assert str(os.getpid()) in await refused(options(home.folder))


async def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file" / "home") in await refused(options(tmp_path / "file" / "home"))


async def test_a_database_that_does_not_answer_is_told_with_the_log(tmp_path):
    environ = environment(
        HAULIER_DATABASE_URL=f"postgresql://u:very-secret@127.0.0.1:{free_port()}/d",
        HAULIER_REDIS_URL="redis://127.0.0.1:1",
    )
    told = await refused(options(tmp_path, environ=environ))
    assert "migrate" in told
    assert str(tmp_path / "logs" / "migrate.log") in told
    assert "very-secret" not in told


async def test_up_with_servers_of_the_users_own_starts_none_and_stops_cleanly(tmp_path):
    own = tmp_path / "own"
    home = tmp_path / "home"
    async with running_postgres(own) as database_url, running_valkey(own) as redis_url:
        environ = environment(
            HAULIER_DATABASE_URL=database_url, HAULIER_REDIS_URL=redis_url, HAULIER_JWT_SECRET="of-the-user-" * 4
        )
        said, complaints = Words(), Words()
        running = asyncio.create_task(up(options(home, environ=environ), say=said, complain=complaints))
        told = asyncio.create_task(said.something.wait())
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        assert told.done(), str(complaints)
        announced = running_environment(home)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{announced['HAULIER_PUBLIC_URL']}/health/ready")).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 0
    assert {name: announced[name] for name in environ if name.startswith("HAULIER_")} == {
        name: value for name, value in environ.items() if name.startswith("HAULIER_")
    }
    assert not (home / "runtime.json").exists()
    assert not {"postgres", "valkey"} & {path.name for path in home.iterdir()}


async def test_an_interrupt_while_starting_stops_what_has_started_even_in_the_background_of_a_script(tmp_path):
    process = await asyncio.create_subprocess_exec(
        # As a shell starts what a script puts into the background.
        *("sh", "-c", 'trap "" INT; exec "$@"', "sh"),
        *(sys.executable, "-m", "haulier", "up", "--home", str(tmp_path / "home"), "--port", str(free_port())),
        env=environment(),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    seen = b""
    async for line in process.stderr:
        seen += line
        if b"child_started" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = await process.stderr.read()
    assert await process.wait() == 0, seen + rest
    assert rest.count(b"child_stopped") >= 1
    assert b"Traceback" not in rest
