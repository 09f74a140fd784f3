"""All settings: typed, validated and documented in one place, read once from the environment at start.

Every field is the variable `HAULIER_<FIELD>`; docs/configuration.md is compared with this list by a test.
"""

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from haulier.durations import seconds_of
from haulier.errors import ConfigurationError
from haulier.limits import ADMIN, FREE, PREMIUM, Role, RoleLimits, parse_limits
from haulier.receipt_keys import private_key, public_keys

PREFIX = "HAULIER_"
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
SHORTEST_RETENTION_S = 86_400
LONGEST_RETENTION_S = 36_500 * 86_400
MIN_SECRET_BYTES = 32  # RFC 7518 section 3.2: an HS256 key has at least 256 bits


class Secret:
    """Text that never prints itself; `reveal()` is the one way to read it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret()"

    __str__ = __repr__


def _doc(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one process. Durations are seconds, sizes bytes."""

    # dependencies
    redis_url: Annotated[Secret, _doc("Redis or Valkey: redis://[user:password@]host:port/db, rediss:// for TLS.")] = (
        msgspec.field(default_factory=Secret)
    )
    database_url: Annotated[Secret, _doc("PostgreSQL: postgresql://user:password@host:port/database.")] = msgspec.field(
        default_factory=Secret
    )
    storage_url: Annotated[
        Secret, _doc("Object storage: file:///folder, s3://bucket?endpoint=…&region=…, or memory: (one process only).")
    ] = msgspec.field(default_factory=Secret)
    redis_prefix: Annotated[
        str, _doc("Prefix of all our Redis keys. The braces keep them on one Redis Cluster slot.", min_length=1)
    ] = "{haulier}"
    database_pool: Annotated[int, _doc("Most connections to PostgreSQL of one process.", ge=2, le=200)] = 10

    # tokens and links
    jwt_secret: Annotated[Secret, _doc("Shared secret of HS256 tokens, at least 32 bytes.")] = msgspec.field(
        default_factory=Secret
    )
    jwks_url: Annotated[
        str, _doc("Where to fetch the public keys of RS256, ES256 or EdDSA tokens; instead of a secret.")
    ] = ""
    jwt_algorithm: Annotated[
        Literal["HS256", "RS256", "ES256", "EdDSA"], _doc("The one algorithm that tokens may use.")
    ] = "HS256"
    jwt_issuer: Annotated[str, _doc("If set, a token's iss must equal it.")] = ""
    jwt_audience: Annotated[str, _doc("If set, a token's aud must contain it.")] = ""
    url_secret: Annotated[
        Secret, _doc("Signs links to files in a folder store; derived from HAULIER_JWT_SECRET when empty.")
    ] = msgspec.field(default_factory=Secret)
    receipt_key: Annotated[
        Secret,
        _doc("Ed25519 key that signs receipts, from `haulier receipt-key` or in PEM; without it there are none."),
    ] = msgspec.field(default_factory=Secret)
    receipt_old_keys: Annotated[
        str, _doc("Public keys that signed receipts before and stay published, apart by commas.")
    ] = ""
    public_url: Annotated[
        str, _doc("Address clients reach the API at, for links to a folder store. Default: http://HOST:PORT.")
    ] = ""

    # API
    host: Annotated[str, _doc("Address the API listens on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, _doc("Port the API listens on.", ge=0, le=65_535)] = 8080
    docs: Annotated[bool, _doc("Serve /docs and /openapi.json.")] = True
    url_ttl_s: Annotated[int, _doc("Life of a download URL in status and result.", ge=10, le=604_800)] = 3_600
    # Links end at whole seconds: one of 1 s could have ended when it arrives.
    file_url_ttl_s: Annotated[int, _doc("Life of the URL that /v1/download/file redirects to.", ge=2, le=604_800)] = 300
    file_delivery: Annotated[
        Literal["redirect", "api"],
        _doc("How /v1/download/file delivers: redirect to the store, or all bytes by the API."),
    ] = "redirect"
    artefact_ttl_s: Annotated[int, _doc("How long a prepared file is kept.", ge=60)] = 86_400

    # retention
    job_retention: Annotated[
        str, _doc("How long a job's record is kept once it is over and its file has expired: 90s, 30m, 24h, 7d.")
    ] = "30d"
    event_retention: Annotated[
        str, _doc("How long the audit trail (job_events) is kept; never shorter than HAULIER_JOB_RETENTION.")
    ] = "90d"

    # limits by role
    limits_free: Annotated[
        str, _doc("Limits of role free: rate=,quota=,running=,role_running=,weight=,keep=; a number or unlimited.")
    ] = ""
    limits_premium: Annotated[str, _doc("Limits of role premium, in the same form.")] = ""
    limits_admin: Annotated[str, _doc("Limits of role admin, in the same form.")] = ""

    # work
    worker_host: Annotated[str, _doc("Address of a worker's /health.", min_length=1)] = "127.0.0.1"
    worker_port: Annotated[
        int,
        _doc(
            "Port of a worker's /health; 0: none. Of several workers on a machine each needs its own.", ge=0, le=65_535
        ),
    ] = 0
    concurrency: Annotated[int, _doc("Jobs that one worker runs at a time.", ge=1, le=1_000)] = 10
    max_attempts: Annotated[int, _doc("Attempts of a job before it fails for good.", ge=1, le=100)] = 3
    lease_s: Annotated[float, _doc("Time an attempt keeps its job without a heartbeat.", ge=1, le=3_600)] = 15.0
    grace_s: Annotated[
        float, _doc("Time running jobs get to finish at shutdown before they are handed back.", ge=0)
    ] = 20.0
    attempt_timeout_s: Annotated[float, _doc("Longest an attempt may take.", ge=1)] = 3_600.0
    catalogue: Annotated[
        str, _doc("TOML file of catalogue rules, or module:callable; without it file N is downloads/N.zip.")
    ] = ""
    # preparers
    fetch_max_bytes: Annotated[int, _doc("Largest body that fetch accepts.", ge=1)] = 10 * 2**30
    fetch_timeout_s: Annotated[float, _doc("Longest that fetch waits for an origin's next bytes.", gt=0)] = 30.0
    fetch_total_timeout_s: Annotated[
        float, _doc("Longest that fetch takes for a file in one attempt, at most HAULIER_ATTEMPT_TIMEOUT_S.", gt=0)
    ] = 3_600.0
    fetch_allow_private: Annotated[bool, _doc("Let fetch reach private, loopback and link-local addresses.")] = False
    fetch_allow_networks: Annotated[
        str, _doc("Networks that fetch may reach although they are not public: 10.1.0.0/16,fd12::/64.")
    ] = ""

    # logs
    log_format: Annotated[
        Literal["auto", "json", "text"], _doc("Form of log lines; auto is text on a terminal and JSON elsewhere.")
    ] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _doc("Least level that is logged.")] = "info"

    def limits(self, role: Role) -> RoleLimits:
        """The limits of `role`: the defaults of limits.py with this process's changes."""
        text, default = {
            Role.FREE: (self.limits_free, FREE),
            Role.PREMIUM: (self.limits_premium, PREMIUM),
            Role.ADMIN: (self.limits_admin, ADMIN),
        }[role]
        return parse_limits(text, default=default)

    def keep_s(self, role: Role) -> int:
        """How long files prepared for users of `role` are kept, in seconds."""
        keep_s = self.limits(role).keep_s
        return self.artefact_ttl_s if keep_s is None else keep_s

    @property
    def job_retention_s(self) -> int:
        return seconds_of(self.job_retention)

    @property
    def event_retention_s(self) -> int:
        return seconds_of(self.event_retention)

    @property
    def fetch_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The parsed `fetch_allow_networks`. Raises ValueError when it holds something else."""
        return tuple(ip_network(text.strip()) for text in self.fetch_allow_networks.split(",") if text.strip())

    @property
    def base_url(self) -> str:
        """Address clients reach the API at, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def heartbeat_s(self) -> float:
        """Three heartbeats fit into a lease, so that two may be lost."""
        return self.lease_s / 3


def variable(field: str) -> str:
    """The environment variable of a settings field: `redis_url` is `HAULIER_REDIS_URL`."""
    return PREFIX + field.upper()


def load(environ: Mapping[str, str] | None = None, *, need: tuple[str, ...] = (), **overrides: Any) -> Settings:
    """Settings from `environ` (default: the process's), with `overrides` (None values ignored) on top.

    `need` names fields that this process cannot do without. Raises ConfigurationError that names each wrong variable.
    """
    environ = os.environ if environ is None else environ
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    raw: dict[str, Any] = {
        name: environ[variable(name)] for name in fields if environ.get(variable(name), "").strip() != ""
    }
    raw |= {name: value for name, value in overrides.items() if value is not None}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if field.name in raw:
            try:
                values[field.name] = msgspec.convert(raw[field.name], field.type, strict=False, dec_hook=_decode)
            except msgspec.ValidationError as error:
                problems.append(f"{variable(field.name)}: {_plain(str(error), field.type)}")
    settings = Settings(**values)
    problems += [f"{variable(name)}: {text}" for name, text in _inconsistencies(settings, need)]
    if problems:
        raise ConfigurationError(problems="\n".join(problems))
    return settings


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return value if isinstance(value, Secret) else Secret(str(value))
    raise NotImplementedError(kind)


_KINDS = {"int": "must be a whole number", "float": "must be a number", "bool": "must be true or false"}


def _plain(message: str, annotated: Any) -> str:
    """msgspec's sentence without its Python words: `Expected `int`, got `str`` is `must be a whole number`."""
    choices = get_args(annotated)[0]
    if get_origin(choices) is Literal:
        return f"must be one of {', '.join(get_args(choices))}"
    kind = re.fullmatch(r"Expected `(\w+)`, got `str`", message)
    if kind and kind[1] in _KINDS:
        return _KINDS[kind[1]]
    return re.sub(r"^Expected (?:`(?:int|float|str)` )?", "must be ", message).replace("`", "")


def _scheme(*allowed: str) -> Callable[[str], str | None]:
    def check(url: str) -> str | None:
        if urlsplit(url).scheme in allowed:
            return None
        return f"must start with one of {', '.join(f'{scheme}:' for scheme in allowed)}"

    return check


_URL_CHECKS: dict[str, Callable[[str], str | None]] = {
    "redis_url": _scheme("redis", "rediss"),
    "database_url": _scheme("postgresql", "postgres"),
    "storage_url": _scheme("file", "s3", "memory"),
}


def _inconsistencies(settings: Settings, need: tuple[str, ...]) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = [
        (name, "is required; `haulier env` prints it for a running home")
        for name in need
        if not getattr(settings, name)
    ]
    for name, check in _URL_CHECKS.items():
        url: Secret = getattr(settings, name)
        if url and (problem := check(url.reveal())):
            problems.append((name, problem))
    if settings.jwt_secret and len(settings.jwt_secret.reveal().encode()) < MIN_SECRET_BYTES:
        problems.append(("jwt_secret", f"must have at least {MIN_SECRET_BYTES} bytes"))
    if settings.jwks_url and settings.jwt_algorithm == "HS256":
        problems.append(("jwt_algorithm", "must be RS256, ES256 or EdDSA when HAULIER_JWKS_URL is set"))
    if settings.jwt_algorithm != "HS256" and not settings.jwks_url:
        problems.append(("jwks_url", f"is required for {settings.jwt_algorithm} tokens"))
    if settings.public_url and not re.match(r"https?://[^/]+", settings.public_url):
        problems.append(("public_url", "must be an http:// or https:// address"))
    if settings.catalogue and not _CALLABLE.fullmatch(settings.catalogue) and not Path(settings.catalogue).is_file():
        problems.append(("catalogue", f"there is no file {settings.catalogue}"))
    problems += _wrong_retention(settings)
    try:
        _ = settings.fetch_networks
    except ValueError as error:
        problems.append(("fetch_allow_networks", str(error)))
    for role in Role:
        try:
            settings.limits(role)
        except ValueError as error:
            problems.append((f"limits_{role}", str(error)))
    return problems + _receipt_keys(settings)


def _receipt_keys(settings: Settings) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    try:
        if settings.receipt_key:
            private_key(settings.receipt_key.reveal())
    except ValueError as error:
        problems.append(("receipt_key", f"{error}; `haulier receipt-key` makes one"))
    try:
        public_keys(settings.receipt_old_keys)
    except ValueError as error:
        problems.append(("receipt_old_keys", str(error)))
    return problems


def _wrong_retention(settings: Settings) -> list[tuple[str, str]]:
    """Keys are remembered for a day: a job must not be forgotten before the key that names it."""
    problems: list[tuple[str, str]] = []
    for name in ("job_retention", "event_retention"):
        try:
            if not SHORTEST_RETENTION_S <= seconds_of(getattr(settings, name)) <= LONGEST_RETENTION_S:
                problems.append((name, "must be from 1d to 36500d"))
        except ValueError as error:
            problems.append((name, str(error)))
    if not problems and settings.event_retention_s < settings.job_retention_s:
        problems.append(("event_retention", "must not be shorter than HAULIER_JOB_RETENTION"))
    return problems
