"""`env` and `token`, and how the commands of a client reach the API."""

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from haulier.cli.home import home_environment, surroundings, why_none
from haulier.cli.options import DEFAULT_HOME, Home, user_of
from haulier.limits import Role

if TYPE_CHECKING:
    from pathlib import Path

    from haulier.client import Client, Patience
    from haulier.client.transport import Token

DEFAULT_URL = "http://127.0.0.1:8080"
MADE_TOKEN_ROLE = Role.PREMIUM  # as in the token that `up` prints
MADE_TOKEN_TTL_S = 300


def env(
    home: Home = DEFAULT_HOME,
    export: Annotated[
        bool, typer.Option("--export", envvar="HAULIER_EXPORT", help="Write `export` before each.")
    ] = False,
) -> None:
    """Print a running home's addresses and secrets as HAULIER_...=... lines.

    With them psql, valkey-cli or another worker can join. The lines hold secrets: keep them out of logs.
    """
    from haulier.embedded.home import running_environment

    for name, value in sorted(running_environment(home).items()):
        sys.stdout.write(f"{'export ' if export else ''}{name}={shlex.quote(value)}\n")


def token(
    user: Annotated[
        str,
        typer.Option("--user", envvar="HAULIER_USER", metavar="NAME", parser=user_of, help="The token's subject."),
    ],
    role: Annotated[Role, typer.Option("--role", envvar="HAULIER_ROLE", help="free, premium or admin.")] = Role.FREE,
    ttl: Annotated[
        int, typer.Option("--ttl", envvar="HAULIER_TTL", min=1, metavar="S", help="Seconds until it expires.")
    ] = 3600,
    email: Annotated[
        str, typer.Option("--email", envvar="HAULIER_EMAIL", metavar="ADDRESS", help="An address to vouch for.")
    ] = "",
    home: Home = DEFAULT_HOME,
) -> None:
    """Make a bearer token with HAULIER_JWT_SECRET, or with the secret of a running home."""
    from haulier import settings
    from haulier.clock import SYSTEM_CLOCK
    from haulier.errors import ConfigurationError

    loaded = settings.load(surroundings(home))
    if loaded.jwt_algorithm != "HS256":
        raise ConfigurationError(
            problems=f"HAULIER_JWT_ALGORITHM: {loaded.jwt_algorithm} tokens come from your identity provider"
        )
    if not loaded.jwt_secret:
        raise ConfigurationError(problems="HAULIER_JWT_SECRET: is required, or --home with a running `haulier up`")
    from haulier.api.auth import mint_token

    made = mint_token(
        loaded.jwt_secret,
        user=user,
        role=role.value,
        ttl_s=ttl,
        now=SYSTEM_CLOCK.now(),
        issuer=loaded.jwt_issuer,
        audience=loaded.jwt_audience,
        email=email,
    )
    sys.stdout.write(f"{made}\n")


def connect(
    *,
    url: str | None,
    given_token: str | None,
    user: str,
    home: "Path",
    role: Role = MADE_TOKEN_ROLE,
    patience: "Patience | None" = None,
    on_wait: Callable[[str, float], None] | None = None,
) -> "Client":
    """A client as the options say; see `Url` and `Token` for the defaults.

    A token is made for a running home only, and goes to that home's address only.
    """
    from haulier.client import Client

    address, bearer = address_and_token(url=url, given_token=given_token, user=user, home=home, role=role)
    return Client(address, token=bearer, patience=patience, on_wait=on_wait or (lambda _reason, _wait_s: None))


def address_and_token(
    *, url: str | None, given_token: str | None, user: str, home: "Path", role: Role = MADE_TOKEN_ROLE
) -> "tuple[str, Token]":
    """Where the API is, and the token for it or what makes one, as the options say."""
    from haulier.errors import ConfigurationError

    running = home_environment(home)
    own_url = (running.get("HAULIER_PUBLIC_URL") or DEFAULT_URL).rstrip("/")
    address = _checked_address(url or own_url)
    made = _maker(running, user=user, role=role) if _same(address, own_url) else None
    token = _checked_token(given_token or "") or made
    if not token:
        hint = f"`haulier token --user NAME{_role_option(role)}`, run where HAULIER_JWT_SECRET is set, prints one"
        needed = f"HAULIER_TOKEN: is required for {address}; {hint}"
        if not running and not url:
            needed = f"{why_none(home)}\nHAULIER_URL, HAULIER_TOKEN: name another API and a token for it; {hint}"
        raise ConfigurationError(problems=needed)
    return address, token


def connect_openly(*, url: str | None, home: "Path | None" = None, patience: "Patience | None" = None) -> "Client":
    """A client for calls that need no token, at `url` or the running home's address."""
    from haulier.client import Client

    running = home_environment(home) if home else {}
    address = _checked_address(url or running.get("HAULIER_PUBLIC_URL") or DEFAULT_URL)
    return Client(address, token="", patience=patience)


def _checked_address(url: str) -> str:
    from haulier.client.arguments import api_address
    from haulier.errors import ConfigurationError

    try:
        return api_address(url)
    except ValueError as error:
        raise ConfigurationError(problems=f"HAULIER_URL: {error}") from None


def _checked_token(given: str) -> str:
    from haulier.client.arguments import bearer
    from haulier.client.errors import BadToken
    from haulier.errors import ConfigurationError

    try:
        return bearer(given) if given.strip() else ""
    except BadToken as error:
        raise ConfigurationError(problems=f"HAULIER_TOKEN: {error}") from None


def _role_option(role: Role) -> str:
    return " --role admin" if role is Role.ADMIN else ""


def _same(one: str, other: str) -> bool:
    return one.replace("//localhost", "//127.0.0.1") == other.replace("//localhost", "//127.0.0.1")


def _maker(running: dict[str, str], *, user: str, role: Role) -> Callable[[], str] | None:
    """A function that makes a short-lived token with a running home's secret, so that no download outlives it."""
    secret = running.get("HAULIER_JWT_SECRET")
    if not secret:
        return None

    from haulier.api.auth import mint_token
    from haulier.clock import SYSTEM_CLOCK
    from haulier.settings import Secret

    def make() -> str:
        return mint_token(
            Secret(secret),
            user=user,
            role=role.value,
            ttl_s=MADE_TOKEN_TTL_S,
            now=SYSTEM_CLOCK.now(),
            issuer=running.get("HAULIER_JWT_ISSUER", ""),
            audience=running.get("HAULIER_JWT_AUDIENCE", ""),
        )

    return make
