"""`haulier up`: everything on one machine, as one process and its children."""

import asyncio
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import msgspec

from haulier import settings
from haulier.embedded.environment import announced, check_storage, is_set, own_settings, reachable
from haulier.embedded.greeting import greeting
from haulier.embedded.home import Home, Secrets
from haulier.embedded.ports import free_port, is_free
from haulier.embedded.postgres import start_postgres
from haulier.embedded.process import Child, Command
from haulier.embedded.readiness import last_lines, until_ready
from haulier.embedded.supervisor import Kept, Supervisor
from haulier.embedded.valkey import start_valkey
from haulier.errors import ConfigurationError, HaulierError
from haulier.settings import Secret, Settings, variable

READY_S = 60.0
# After their own grace time children still close connections.
GRACE_MARGIN_S = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


class UpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says; `environ` is the environment that children get, completed."""

    home: Path
    demo: bool = False
    workers: int = 1
    host: str = "127.0.0.1"
    port: int = 8080
    environ: Mapping[str, str]


def say_on_stdout(text: str) -> None:
    with suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def say_on_stderr(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


async def up(options: UpOptions, *, say: Say = say_on_stdout, complain: Say = say_on_stderr) -> int:
    """Run until a signal; 0 after a clean stop, 1 when something could not start. Call it from the main thread.

    The first SIGINT, SIGTERM or SIGHUP lets running jobs finish for their grace time, the second does not.
    """
    hurry = asyncio.Event()
    running = asyncio.create_task(_run(options, hurry=hurry, say=say))
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            hurry.set()
            return
        asked = True
        complain("\nStopping. Running jobs may finish; Ctrl-C again does not wait for them.")
        running.cancel()

    with _on_signals(stop):
        try:
            await running
        except asyncio.CancelledError:
            if not asked:
                raise
            complain("Stopped.")
            return 0
        except (HaulierError, OSError) as error:
            complain(f"Haulier could not start.\n{error}")
            return 1
    return 0


@contextmanager
def _on_signals(stop: Callable[[], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    # Under nohup, SIGHUP is ignored and stays so. Shells let background jobs ignore SIGINT too; `kill -INT` means us.
    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [number for number in STOP_SIGNALS if not (under_nohup and number == signal.SIGHUP)]
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _run(options: UpOptions, *, hurry: asyncio.Event, say: Say) -> None:
    """Start in the order of dependence, tell, wait for ever; whatever ends this stops all in the opposite order."""
    given = settings.load(options.environ)
    check_storage(options.environ)
    home = Home(options.home)
    async with AsyncExitStack() as stack:
        stack.enter_context(home.held())
        port = _port(options)
        secrets = home.secrets()
        environ = dict(options.environ) | own_settings(
            options.environ, home=home, secrets=secrets, host=options.host, port=port
        )
        ports = home.ports("postgres", "valkey", taken=[port])
        servers = await _embedded_servers(stack, environ, home=home, ports=ports, secrets=secrets, hurry=hurry)
        environ |= servers
        if options.demo:
            from haulier.embedded.demo import demonstrating

            url = servers.get(variable("database_url"))
            environ |= await stack.enter_async_context(
                demonstrating(environ, home=home, postgres=Secret(url) if url else None)
            )
        await _migrate(environ, log=home.logs / "migrate.log")
        apis = await stack.enter_async_context(Supervisor(hurry=hurry))
        workers = await stack.enter_async_context(Supervisor(hurry=hurry))
        api = apis.keep(_service("api", environ, given))
        for number in range(1, options.workers + 1):
            workers.keep(_service("worker", environ, given, name=f"worker-{number}"))
        await _until_serving(api, f"http://{reachable(options.host)}:{port}")
        stack.enter_context(home.announced(announced(environ)))
        say(greeting(environ, home=home.folder, demo=options.demo))
        await asyncio.Event().wait()


def _port(options: UpOptions) -> int:
    """The API's port, known to be free a moment ago. Port 0 means any."""
    if options.port == 0:
        return free_port()
    try:
        free = is_free(options.port, host=options.host)
    except OSError as error:
        raise ConfigurationError(
            problems=f"{variable('host')}: cannot listen on {options.host}:{options.port}: {error.strerror}"
        ) from error
    if not free:
        raise ConfigurationError(
            problems=f"{variable('port')}: port {options.port} of {options.host} is taken by another program or not "
            f"allowed; choose another with --port or {variable('port')}"
        )
    return options.port


async def _embedded_servers(
    stack: AsyncExitStack,
    environ: Mapping[str, str],
    *,
    home: Home,
    ports: Mapping[str, int],
    secrets: Secrets,
    hurry: asyncio.Event,
) -> dict[str, str]:
    """Start PostgreSQL and Valkey unless the user has his own; answers their variables."""
    urls: dict[str, str] = {}
    if not is_set(environ, "database_url"):
        supervisor = await stack.enter_async_context(Supervisor(hurry=hurry))
        url = await start_postgres(supervisor, home.folder, password=secrets.postgres_password, port=ports["postgres"])
        urls[variable("database_url")] = url.reveal()
    if not is_set(environ, "redis_url"):
        supervisor = await stack.enter_async_context(Supervisor(hurry=hurry))
        url = await start_valkey(supervisor, home.folder, password=secrets.valkey_password, port=ports["valkey"])
        urls[variable("redis_url")] = url.reveal()
    return urls


async def _migrate(environ: Mapping[str, str], *, log: Path) -> None:
    child = await Child.start(Command(name="migrate", argv=_program("migrate"), environ=environ, log=log))
    try:
        code = await child.wait()
    except asyncio.CancelledError:
        await child.stop(hurry=asyncio.Event())
        raise
    if code != 0:
        raise ConfigurationError(
            problems=f"migrate: ended with exit code {code}; its log {log} ends with:\n{last_lines(log)}"
        )


def _service(command: str, environ: Mapping[str, str], given: Settings, *, name: str = "") -> Command:
    """A child whose log lines the user sees."""
    return Command(
        name=name or command,
        argv=_program(command),
        environ=environ,
        grace_s=given.grace_s + GRACE_MARGIN_S,
    )


def _program(command: str) -> tuple[str, ...]:
    # -P: the folder that the user happens to be in is no place for our modules.
    return (sys.executable, "-P", "-m", "haulier", command)


async def _until_serving(api: Kept, url: str) -> None:
    answer = "no connection"
    async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as client:

        async def serves() -> bool:
            nonlocal answer
            try:
                response = await client.get("/health/ready")
            except httpx.HTTPError as error:
                answer = str(error) or type(error).__name__
                return False
            answer = response.text[:500]
            return response.status_code == 200

        await until_ready(api, serves, within_s=READY_S, deaths=1, why=lambda: f" ({answer})")
