"""All settings, typed and documented: every field is the variable `HAULIER_<FIELD>`.

docs/configuration.md is compared with this list by a test.
"""

import math
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

import msgspec

from haulier.durations import seconds_of
from haulier.limits import ADMIN, FREE, PREMIUM, Role, RoleLimits, parse_limits
from haulier.settings.notice_fields import NoticeSettings
from haulier.settings.secret import Secret
from haulier.settings.secret import doc as _doc

PREFIX = "HAULIER_"
DAY_S = 86_400
DEFAULT_EXPIRE_DAYS = 8


class Settings(NoticeSettings, frozen=True, kw_only=True):
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
    storage_expire_days: Annotated[
        int,
        _doc(
            "Days after which `storage init` has the bucket delete artefacts; 0: 8, or a day longer than files live.",
            ge=0,
            le=3_650,
        ),
    ] = 0
    storage_versioning: Annotated[
        Literal["keep", "on", "off"], _doc("Versioning that `storage init` sets; keep leaves the bucket's as it is.")
    ] = "keep"
    storage_cors_origins: Annotated[
        str,
        _doc("Origins of pages that may read downloads, divided by commas, for `storage init`: https://app.example."),
    ] = ""
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
    allowed_origins: Annotated[
        str,
        _doc("Origins whose pages may use the API from a browser, divided by commas: https://app.example; * for all."),
    ] = ""
    live_connections: Annotated[int, _doc("Most SSE and WebSocket connections of one process.", ge=1)] = 10_000
    live_connections_user: Annotated[int, _doc("Most of them of one user; admins have no limit.", ge=1)] = 100
    docs: Annotated[bool, _doc("Serve /docs, /openapi.json and /asyncapi.json.")] = True
    url_ttl_s: Annotated[int, _doc("Life of a download URL in status and result.", ge=10, le=604_800)] = 3_600
    file_url_ttl_s: Annotated[int, _doc("Life of the URL that /v1/download/file redirects to.", ge=1, le=604_800)] = 300
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
    query_database_url: Annotated[
        Secret, _doc("PostgreSQL that query rules read, as a role that may only read: postgresql://…")
    ] = msgspec.field(default_factory=Secret)
    query_databases: Annotated[
        Secret, _doc("Further ones that rules name: name=postgresql://…, with spaces between them.")
    ] = msgspec.field(default_factory=Secret)
    fetch_max_bytes: Annotated[int, _doc("Largest body that fetch accepts.", ge=1)] = 10 * 2**30
    fetch_timeout_s: Annotated[float, _doc("Longest that fetch waits for an origin's next bytes.", gt=0)] = 30.0
    fetch_total_timeout_s: Annotated[
        float, _doc("Longest that fetch takes for a file in one attempt, at most HAULIER_ATTEMPT_TIMEOUT_S.", gt=0)
    ] = 3_600.0
    fetch_allow_private: Annotated[bool, _doc("Let fetch reach private, loopback and link-local addresses.")] = False
    fetch_allow_networks: Annotated[
        str, _doc("Networks that fetch may reach although they are not public: 10.1.0.0/16,fd12::/64.")
    ] = ""

    # channels
    channel_key: Annotated[
        Secret,
        _doc(
            "Seals what channels keep secret, at least 32 bytes; derived from the secret of links or tokens when empty."
        ),
    ] = msgspec.field(default_factory=Secret)
    channel_old_keys: Annotated[
        Secret, _doc("Secrets that sealed before and still open, divided by commas or spaces.")
    ] = msgspec.field(default_factory=Secret)
    channel_allow_private: Annotated[
        bool, _doc("Let channels reach private, loopback and link-local addresses, and http.")
    ] = False
    channel_allow_networks: Annotated[
        str, _doc("Networks that channels may reach although they are not public: 10.1.0.0/16,fd12::/64.")
    ] = ""
    job_page: Annotated[
        str,
        _doc(
            "Page of one job, for people, as notices link it; {job_id} is its id. Default: /jobs/{job_id} of the API."
        ),
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
        return _networks(self.fetch_allow_networks)

    @property
    def channel_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The parsed `channel_allow_networks`. Raises ValueError when it holds something else."""
        return _networks(self.channel_allow_networks)

    def page_url(self, job_id: object) -> str:
        """Where a person looks at one job; it stays good as long as the job is known."""
        return (self.job_page or f"{self.base_url}/jobs/{{job_id}}").replace("{job_id}", str(job_id))

    @property
    def base_url(self) -> str:
        """Address clients reach the API at, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def artefact_expiry_days(self) -> int:
        """After how many days the bucket may delete an artefact that we forgot: later than we would."""
        return self.storage_expire_days or max(DEFAULT_EXPIRE_DAYS, least_expire_days(self))

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Origins whose pages may read downloads."""
        return _listed(self.storage_cors_origins)

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Origins of pages that may use the API, beside those that it serves itself."""
        return _listed(self.allowed_origins)

    @property
    def heartbeat_s(self) -> float:
        """Three heartbeats fit into a lease, so that two may be lost."""
        return self.lease_s / 3

    def query_url(self, name: str) -> Secret:
        """The database that a query's rule names ('': the one without a name); an empty Secret when there is none."""
        return self.named_query_urls.get(name, Secret()) if name else self.query_database_url

    @property
    def named_query_urls(self) -> dict[str, Secret]:
        """The databases of `query_databases` by name."""
        pairs = (part.partition("=") for part in self.query_databases.reveal().split())
        return {name: Secret(url) for name, _, url in pairs}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def least_expire_days(settings: Settings) -> int:
    """A day more than artefacts live: a download that began in the last minute ends before the bucket deletes."""
    return math.ceil(max(settings.keep_s(role) for role in Role) / DAY_S) + 1


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def variable(field: str) -> str:
    """The environment variable of a settings field: `redis_url` is `HAULIER_REDIS_URL`."""
    return PREFIX + field.upper()
