"""What `up` gives its children: the user's own environment, completed by what is embedded."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from haulier.embedded.home import Home, Secrets
from haulier.errors import ConfigurationError
from haulier.settings import PREFIX, variable

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 # compared with, not bound to


def is_set(environ: Mapping[str, str], field: str) -> bool:
    """Whether the user gave a setting; blank is not given."""
    return environ.get(variable(field), "").strip() != ""


def reachable(host: str) -> str:
    """How a client on this machine writes a listening address in a URL."""
    host = ANY_ADDRESS.get(host, host)
    return f"[{host}]" if ":" in host else host


def own_settings(environ: Mapping[str, str], *, home: Home, secrets: Secrets, host: str, port: int) -> dict[str, str]:
    """The variables that need no server, for those the user did not set. Ports and host always win.

    Links to the folder store are signed with the home's secret unless the user's JWT secret signs them, as it then
    does on every other node that shares it.
    """
    ours = {
        "storage_url": home.store.as_uri(),
        "public_url": f"http://{reachable(host)}:{port}",
        "receipt_key": secrets.receipt_key.reveal(),
    }
    if not is_set(environ, "jwt_secret"):
        ours["url_secret"] = secrets.url_secret.reveal()
        if not is_set(environ, "jwks_url"):
            ours["jwt_secret"] = secrets.jwt_secret.reveal()
    missing = {variable(name): value for name, value in ours.items() if not is_set(environ, name)}
    return missing | {variable("host"): host, variable("port"): str(port)}


def check_storage(environ: Mapping[str, str]) -> None:
    """Refuse a store that API and worker, two processes, cannot share."""
    if urlsplit(environ.get(variable("storage_url"), "").strip()).scheme == "memory":
        raise ConfigurationError(
            problems=f"{variable('storage_url')}: memory: works within one process only; unset it, or name a folder"
        )


def announced(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the children's environment that lets another process join."""
    return {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
