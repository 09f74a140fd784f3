"""What settings must not say, beyond their types. Pure, but for a look whether the catalogue's file exists."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from haulier.destinations.mail_address import bare_address
from haulier.destinations.vapid_keys import vapid_key
from haulier.durations import seconds_of
from haulier.limits import Role
from haulier.receipt_keys import private_key, public_keys
from haulier.settings.fields import Settings, least_expire_days
from haulier.settings.secret import Secret

MIN_SECRET_BYTES = 32  # RFC 7518 section 3.2: an HS256 key has at least 256 bits
SHORTEST_RETENTION_S = 86_400
LONGEST_RETENTION_S = 36_500 * 86_400
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_PAGE_ORIGIN = re.compile(r"\*|https?://[^/\s*]+")
_ORIGIN = re.compile(r"\*|https?://[^/\s*]*\*?[^/\s*]+")  # S3 takes one * in each

Problems = Iterator[tuple[str, str]]


def _scheme(*allowed: str) -> Callable[[str], str | None]:
    def check(url: str) -> str | None:
        if urlsplit(url).scheme in allowed:
            return None
        return f"must start with one of {', '.join(f'{scheme}:' for scheme in allowed)}"

    return check


_postgres = _scheme("postgresql", "postgres")
_URL_CHECKS: dict[str, Callable[[str], str | None]] = {
    "redis_url": _scheme("redis", "rediss"),
    "database_url": _postgres,
    "query_database_url": _postgres,
    "storage_url": _scheme("file", "s3", "memory"),
}


def inconsistencies(settings: Settings, need: tuple[str, ...]) -> list[tuple[str, str]]:
    """(field, what is wrong with it) for all that the types do not catch; `need` names fields that must be set."""
    missing = [
        (name, "is required; `haulier env` prints it for a running home")
        for name in need
        if not getattr(settings, name)
    ]
    return missing + [problem for check in _CHECKS for problem in check(settings)]


def _addresses(settings: Settings) -> Problems:
    for name, check in _URL_CHECKS.items():
        url: Secret = getattr(settings, name)
        if url and (problem := check(url.reveal())):
            yield name, problem
    for name, url in settings.named_query_urls.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or _postgres(url.reveal()):
            yield "query_databases", "must be name=postgresql://… with spaces between several"
    if settings.public_url and not re.match(r"https?://[^/]+", settings.public_url):
        yield "public_url", "must be an http:// or https:// address"
    for kind in ("fetch", "channel"):
        try:
            getattr(settings, f"{kind}_networks")
        except ValueError as error:
            yield f"{kind}_allow_networks", str(error)


def _tokens(settings: Settings) -> Problems:
    if settings.jwt_secret and len(settings.jwt_secret.reveal().encode()) < MIN_SECRET_BYTES:
        yield "jwt_secret", f"must have at least {MIN_SECRET_BYTES} bytes"
    if settings.jwks_url and settings.jwt_algorithm == "HS256":
        yield "jwt_algorithm", "must be RS256, ES256 or EdDSA when HAULIER_JWKS_URL is set"
    if settings.jwt_algorithm != "HS256" and not settings.jwks_url:
        yield "jwks_url", f"is required for {settings.jwt_algorithm} tokens"


def _catalogue(settings: Settings) -> Problems:
    if settings.catalogue and not _CALLABLE.fullmatch(settings.catalogue) and not Path(settings.catalogue).is_file():
        yield "catalogue", f"there is no file {settings.catalogue}"


def _limits(settings: Settings) -> Problems:
    for role in Role:
        try:
            settings.limits(role)
        except ValueError as error:
            yield f"limits_{role}", str(error)


def _bucket(settings: Settings) -> Problems:
    if not any(_limits(settings)) and 0 < settings.storage_expire_days < (least := least_expire_days(settings)):
        yield "storage_expire_days", f"must be 0, or at least {least}: a day longer than files are kept"
    if wrong := [origin for origin in settings.cors_origins if not _ORIGIN.fullmatch(origin)]:
        yield "storage_cors_origins", f"{wrong[0]} must be * or like https://app.example, without a path"


def _page_origins(settings: Settings) -> Problems:
    if wrong := [origin for origin in settings.page_origins if not _PAGE_ORIGIN.fullmatch(origin)]:
        yield "allowed_origins", f"{wrong[0]} must be * or like https://app.example, without a path"


def _receipt_keys(settings: Settings) -> Problems:
    try:
        if settings.receipt_key:
            private_key(settings.receipt_key.reveal())
    except ValueError as error:
        yield "receipt_key", f"{error}; `haulier receipt-key` makes one"
    try:
        public_keys(settings.receipt_old_keys)
    except ValueError as error:
        yield "receipt_old_keys", str(error)


def _channels(settings: Settings) -> Problems:
    for name in ("channel_key", "channel_old_keys"):
        texts = getattr(settings, name).reveal()
        if any(len(text.encode()) < MIN_SECRET_BYTES for text in texts.replace(",", " ").split()):
            yield name, f"must have at least {MIN_SECRET_BYTES} bytes, without commas and spaces"
    if len(settings.channel_key.reveal().replace(",", " ").split()) > 1:
        yield "channel_key", "must be one key, without commas and spaces"
    if settings.job_page and not re.match(r"https?://[^/]+", settings.job_page):
        yield "job_page", "must be an http:// or https:// address"
    elif settings.job_page and "{job_id}" not in settings.job_page:
        yield "job_page", "must contain {job_id}, in whose place the job's id stands"


def _mail_and_push(settings: Settings) -> Problems:
    for name, parsed in (("smtp_url", "mail_server"), ("apprise_services", "apprise_schemas")):
        try:
            getattr(settings, parsed)
        except ValueError as error:
            yield name, str(error)
    if settings.mail_from and bare_address(settings.mail_from) is None:
        yield "mail_from", "must be an address, like Downloads <downloads@example.com>"
    if settings.smtp_url and not settings.mail_from:
        yield "mail_from", "is required with HAULIER_SMTP_URL"
    if settings.vapid_subject and not re.match(r"mailto:[^@\s]+@[^@\s]+$|https://[^/\s]+", settings.vapid_subject):
        yield "vapid_subject", "must be like mailto:operator@example.com or https://example.com"
    if settings.vapid_key:
        try:
            vapid_key(settings.vapid_key.reveal())
        except ValueError as error:
            yield "vapid_key", f"{error}; `haulier vapid-key` makes one"
        if not settings.push_contact:
            yield "vapid_subject", "is required with HAULIER_VAPID_KEY, unless there is HAULIER_MAIL_FROM"


def _apprise_channels(settings: Settings) -> Problems:
    try:
        places = settings.apprise_places.values()
    except ValueError as error:
        yield "apprise_channels", str(error)
        return
    for place in places:
        if wrong := sorted(place.roles - {role.value for role in Role}):
            yield "apprise_channels", f"{wrong[0]} of {place.name} must be one of {', '.join(Role)}"


def _retention(settings: Settings) -> Problems:
    """Keys are remembered for a day: a job must not be forgotten before the key that names it."""
    lengths: list[float] = []
    for name in ("job_retention", "event_retention"):
        try:
            lengths.append(seconds_of(getattr(settings, name)))
        except ValueError as error:
            yield name, str(error)
            continue
        if not SHORTEST_RETENTION_S <= lengths[-1] <= LONGEST_RETENTION_S:
            yield name, "must be from 1d to 36500d"
    if len(lengths) == 2 and lengths[1] < lengths[0]:
        yield "event_retention", "must not be shorter than HAULIER_JOB_RETENTION"


_CHECKS: tuple[Callable[[Settings], Problems], ...] = (
    _addresses,
    _tokens,
    _catalogue,
    _retention,
    _limits,
    _bucket,
    _page_origins,
    _receipt_keys,
    _channels,
    _mail_and_push,
    _apprise_channels,
)
