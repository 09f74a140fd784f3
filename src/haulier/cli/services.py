"""The long-running commands, `up`, `api` and `worker`, and `migrate`."""

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haulier.cli.options import DEFAULT_HOME, Home

if TYPE_CHECKING:
    from haulier.settings import Settings

Host = Annotated[
    str | None,
    typer.Option("--host", envvar="HAULIER_HOST", metavar="ADDRESS", help="Address to listen on; default 127.0.0.1."),
]
Port = Annotated[
    int | None,
    typer.Option("--port", envvar="HAULIER_PORT", min=0, max=65535, metavar="N", help="Port; default 8080."),
]


def up(
    home: Home = DEFAULT_HOME,
    demo: Annotated[bool, typer.Option("--demo", envvar="HAULIER_DEMO", help="Add files and rules to try.")] = False,
    workers: Annotated[
        int, typer.Option("--workers", envvar="HAULIER_WORKERS", min=0, max=64, metavar="N", help="Worker processes.")
    ] = 1,
    host: Host = None,
    port: Port = None,
) -> None:
    """Start everything on this machine: Valkey, PostgreSQL, a folder as object store, API and workers.

    All data lives in the home folder. A dependency that is set in the environment (HAULIER_REDIS_URL,
    HAULIER_DATABASE_URL, HAULIER_STORAGE_URL, HAULIER_JWT_SECRET) is used as it is. Ctrl-C stops everything.
    """
    from haulier import settings
    from haulier.embedded.up import UpOptions
    from haulier.embedded.up import up as run
    from haulier.observe import logs

    loaded = settings.load(host=host, port=port)
    logs.configure(loaded)
    options = UpOptions(
        home=home, demo=demo, workers=workers, host=loaded.host, port=loaded.port, environ=dict(os.environ)
    )
    raise typer.Exit(asyncio.run(run(options)))


def api(host: Host = None, port: Port = None) -> None:
    """Run the API. SIGTERM lets requests in flight finish.

    Needs HAULIER_REDIS_URL, HAULIER_DATABASE_URL, HAULIER_STORAGE_URL and HAULIER_JWT_SECRET (or HAULIER_JWKS_URL).
    """
    import uvloop

    loaded = _configured(tokens=True, host=host, port=port)
    from haulier.api.serve import serve

    uvloop.run(serve(loaded))


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            envvar="HAULIER_CONCURRENCY",
            min=1,
            max=1000,
            metavar="N",
            help="Jobs at a time; default 10.",
        ),
    ] = None,
) -> None:
    """Run a worker. SIGTERM gives running jobs HAULIER_GRACE_S to finish, then hands them back.

    Needs HAULIER_REDIS_URL, HAULIER_DATABASE_URL and HAULIER_STORAGE_URL.
    """
    import uvloop

    loaded = _configured(concurrency=concurrency)
    from haulier.allocator import give_memory_back
    from haulier.worker_process import serve

    give_memory_back()
    uvloop.run(serve(loaded))


def migrate(
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url", envvar="HAULIER_DATABASE_URL", metavar="URL", help="PostgreSQL.", show_default=False
        ),
    ] = None,
) -> None:
    """Bring the database up to date. Safe to run twice, and from several machines at once."""
    from haulier import settings
    from haulier.ledger import migrate as apply

    loaded = settings.load(need=("database_url",), database_url=database_url)
    applied = asyncio.run(apply(loaded.database_url))
    for name in applied:
        sys.stdout.write(f"applied {name}\n")
    if not applied:
        sys.stdout.write("The database is up to date.\n")


def _configured(*, tokens: bool = False, **overrides: Any) -> "Settings":
    """The settings of a service process, complete, and its logs set up."""
    from haulier import settings
    from haulier.observe import logs

    need = ("redis_url", "database_url", "storage_url")
    if tokens and not os.environ.get("HAULIER_JWKS_URL", "").strip():
        need += ("jwt_secret",)
    loaded = settings.load(need=need, **overrides)
    logs.configure(loaded)
    return loaded
