"""The mail server as one URL: `smtp://user:password@host:587?starttls=yes`, `smtps://user:password@host`. Pure."""

from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

Security = Literal["tls", "starttls", "none"]


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in. `login` is user and password, when it wants one; it never prints itself."""

    host: str
    port: int
    security: Security
    login: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


def smtp_server(text: str) -> SmtpServer:
    """The server that `text` names. Raises ValueError with a sentence that repeats nothing of it.

    `smtps:` is TLS from the beginning (port 465); `smtp:` is STARTTLS (port 587), and without encryption only when it
    says `?starttls=no` (port 25): a password must not go in clear because somebody cut STARTTLS out of the greeting.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise ValueError(
            "is no URL that can be read; are characters like @ / ? of the password written as %40?"
        ) from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("must be like smtp://user:password@host:587 or smtps://user:password@host")
    if parts.path not in ("", "/") or parts.fragment:
        raise ValueError("must have no path; are characters like / of the password written as %2F?")
    security = _security(parts.scheme, options)
    if (parts.username is None) != (parts.password is None):
        raise ValueError("must have both user and password, or neither")
    login = (unquote(parts.username), unquote(parts.password)) if parts.username and parts.password else None
    return SmtpServer(
        host=parts.hostname,
        port=port or {"tls": 465, "starttls": 587, "none": 25}[security],
        security=security,
        login=login,
    )


def _security(scheme: str, options: dict[str, str]) -> Security:
    if set(options) - {"starttls"} or options.get("starttls", "yes") not in ("yes", "no"):
        raise ValueError("may say ?starttls=yes or ?starttls=no and nothing else")
    if scheme == "smtps":
        if options:
            raise ValueError("must not say starttls with smtps:, which is TLS from the beginning")
        return "tls"
    return "starttls" if options.get("starttls", "yes") == "yes" else "none"
