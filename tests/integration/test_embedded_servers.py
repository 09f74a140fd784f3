"""Embedded PostgreSQL and Valkey, real: durable, restarted, private, and never orphans."""

import asyncio
import os
import pwd
import signal
import stat
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from haulier.embedded import postgres
from haulier.embedded.identity import Identity, dropped
from haulier.embedded.ports import free_port
from haulier.embedded.postgres import start_postgres
from haulier.embedded.supervisor import Supervisor
from haulier.errors import ConfigurationError
from haulier.settings import Secret
from tests.servers import PASSWORD, running_postgres, running_valkey
from tests.waiting import until

OWNER = """
import asyncio, sys
from pathlib import Path
from tests.servers import running_postgres, running_valkey

async def main(folder):
    async with running_postgres(folder), running_valkey(folder):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""
ROOT = Path(__file__).parents[2]


async def until_connected(url):
    """A connection, as a client that retries gets it."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.02)


def processes_in(folder):
    """Living processes, not zombies, that work below `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def user_of(pid):
    return Path(f"/proc/{pid}").stat().st_uid


def postmaster(folder):
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


async def test_postgres_keeps_its_data_between_starts(tmp_path):
    async with running_postgres(tmp_path) as url:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        await connection.close()
    async with running_postgres(tmp_path) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
    assert not processes_in(tmp_path)


async def test_postgres_is_durable_by_default_and_listens_on_loopback_only(tmp_path):
    async with Supervisor() as supervisor:
        url = await start_postgres(supervisor, tmp_path, password=PASSWORD, port=free_port())
        connection = await asyncpg.connect(url.reveal())
        names = ("fsync", "synchronous_commit", "listen_addresses", "unix_socket_directories", "server_encoding")
        shown = [await connection.fetchval(f"SHOW {name}") for name in names]
        await connection.close()
    assert shown == ["on", "on", "127.0.0.1", "", "UTF8"]


async def test_a_wrong_password_is_refused(tmp_path):
    async with running_postgres(tmp_path) as url, running_valkey(tmp_path) as redis_url:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url.replace(PASSWORD.reveal(), "wrong"))
        async with Redis.from_url(redis_url.replace(PASSWORD.reveal(), "wrong")) as stranger:
            with pytest.raises(AuthenticationError):
                await stranger.ping()


async def test_no_command_line_and_no_readable_file_holds_a_password(tmp_path):
    async with running_postgres(tmp_path), running_valkey(tmp_path):
        secret = PASSWORD.reveal().encode()
        for pid in processes_in(tmp_path):
            assert secret not in command_line(pid)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert [path.name for path in files] == ["valkey.conf"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


async def test_a_killed_postgres_comes_back_on_the_same_port(tmp_path):
    async with running_postgres(tmp_path) as url:
        os.kill(postmaster(tmp_path), signal.SIGKILL)
        connection = await until_connected(url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


async def test_a_killed_valkey_comes_back_with_its_keys(tmp_path):
    async with running_valkey(tmp_path) as url:
        async with Redis.from_url(url) as redis:
            for number in range(200):
                await redis.set(f"key-{number}", number)

            async def has_written():
                return not (await redis.info("persistence"))["aof_buffer_length"]

            await until(has_written)  # while it syncs it puts that off: at most a second may be lost
        (pid,) = processes_in(tmp_path)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: processes_in(tmp_path) not in ([], [pid]))
        async with asyncio.timeout(20):
            while True:
                try:
                    async with Redis.from_url(url) as redis:
                        assert await redis.dbsize() == 200
                        assert (await redis.config_get("maxmemory-policy")) == {"maxmemory-policy": "noeviction"}
                    break
                except (OSError, RedisError):
                    await asyncio.sleep(0.02)


async def test_a_process_id_that_somebody_else_has_now_is_no_obstacle(tmp_path):
    async with running_postgres(tmp_path):
        written = (tmp_path / "postgres" / "postmaster.pid").read_text()
    first, rest = written.split("\n", 1)
    stranger = await asyncio.create_subprocess_exec("sleep", "600")
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{rest}")
    async with running_postgres(tmp_path) as url:
        await (await asyncpg.connect(url)).close()
        assert postmaster(tmp_path) not in (int(first), stranger.pid)
    stranger.kill()
    await stranger.wait()


async def test_an_interrupted_initdb_does_not_poison_the_home(tmp_path):
    async with Supervisor() as supervisor:
        starting = asyncio.create_task(start_postgres(supervisor, tmp_path, password=PASSWORD, port=free_port()))
        await until(lambda: (tmp_path / "postgres.new" / "base").exists())
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    assert not (tmp_path / "postgres").exists()
    async with running_postgres(tmp_path) as url:
        await (await asyncpg.connect(url)).close()
    assert not (tmp_path / "postgres.new").exists()


async def test_data_of_another_major_version_are_refused_in_words(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("14\n")
    with pytest.raises(ConfigurationError, match="made by PostgreSQL 14"):
        async with running_postgres(tmp_path):
            pass


async def test_data_with_another_password_are_refused_in_words(tmp_path):
    async with running_postgres(tmp_path):
        pass
    async with Supervisor() as supervisor:
        with pytest.raises(ConfigurationError, match=r"secrets\.json"):
            await start_postgres(supervisor, tmp_path, password=Secret("other"), port=free_port())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
async def test_root_without_user_namespaces_runs_postgres_as_somebody_else(tmp_path, monkeypatch):
    nobody = pwd.getpwnam("nobody")

    async def forbidden():
        return Identity(dropped(nobody), nobody.pw_uid)

    tmp_path.chmod(0o700)
    async with running_postgres(tmp_path):
        pass
    with monkeypatch.context() as patched:
        patched.setattr(postgres, "server_identity", forbidden)
        for _ in range(2):
            async with running_postgres(tmp_path) as url:
                await (await asyncpg.connect(url)).close()
                assert user_of(postmaster(tmp_path)) == nobody.pw_uid
        other = tmp_path / "fresh"
        other.mkdir(mode=0o700)
        async with running_postgres(other):
            pass
    async with running_postgres(tmp_path):
        assert (tmp_path / "postgres" / "PG_VERSION").stat().st_uid == 0


async def test_nothing_outlives_a_killed_owner_and_the_next_start_waits_for_what_still_ends(tmp_path):
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    async for line in owner.stdout:
        if line == b"ready\n":
            break
    before = processes_in(tmp_path)
    owner.kill()
    await owner.wait()
    async with running_postgres(tmp_path) as url, running_valkey(tmp_path):
        await (await asyncpg.connect(url)).close()
        assert len(before) > 2
        assert not set(before) & set(processes_in(tmp_path))
        assert urlsplit(url).hostname == "127.0.0.1"
