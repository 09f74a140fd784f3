"""What `up` says once it is ready."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from haulier.clock import SYSTEM_CLOCK
from haulier.embedded.demo import FILES
from haulier.embedded.environment import is_set
from haulier.settings import Secret, variable

DEMO_USER = "demo"
DEMO_ROLE = "premium"
TOKEN_TTL_S = 24 * 3_600


def greeting(environ: Mapping[str, str], *, home: Path, demo: bool) -> str:
    """Address, a curl line that works when pasted, and where the data lives."""
    url = environ[variable("public_url")].rstrip("/")
    token = _token(environ)
    curl = " ".join(
        (
            f"curl -s {shlex.quote(f'{url}/v1/download/initiate')}",
            f"-H 'Authorization: Bearer {token}'" if token else '-H "Authorization: Bearer $TOKEN"',
            "-H 'Content-Type: application/json' -d '{\"file_id\": 70000}'",
        )
    )
    lines = ["", f"Haulier is ready at {url}", "", *_hints(home, environ=environ, demo=demo), "", f"  {curl}", ""]
    if token:
        lines.append(f"The token is of user {DEMO_USER}, role {DEMO_ROLE}, for 24 hours; `haulier token` makes others.")
    else:
        lines.append("TOKEN is a token of your identity provider.")
    return "\n".join([*lines, f"Data lives in {home}. Ctrl-C stops everything.", ""])


def _hints(home: Path, *, environ: Mapping[str, str], demo: bool) -> list[str]:
    if demo:
        return ["Files to try, with the line below or with `haulier get 70001`:"] + [
            f"  {file_id}  {what}" for file_id, what in FILES.items()
        ]
    store = environ[variable("storage_url")]
    if store == (home / "store").as_uri():
        return [f"Put a file at {home / 'store' / 'downloads' / '70000.zip'}, and it is file 70000:"]
    return ["Object downloads/70000.zip of the store is file 70000:"]


def _token(environ: Mapping[str, str]) -> str:
    """A token that this installation accepts, or '' when only someone else can make one."""
    if not is_set(environ, "jwt_secret") or any(
        is_set(environ, name) for name in ("jwks_url", "jwt_issuer", "jwt_audience")
    ):
        return ""
    from haulier.api.auth import mint_token

    secret = Secret(environ[variable("jwt_secret")])
    return mint_token(secret, user=DEMO_USER, role=DEMO_ROLE, ttl_s=TOKEN_TTL_S, now=SYSTEM_CLOCK.now())
