"""The checks of `doctor`: each looks at one dependency and answers findings. Nothing here shows a secret."""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import msgspec

from haulier.cli.words import duration_words, one_line
from haulier.clock import Clock
from haulier.errors import BadRecipe, ConfigurationError, LedgerUnavailable, UnknownPreparer
from haulier.settings import Settings

TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 3
SKEW_S = 2.0


class Mark(StrEnum):
    GOOD = "✓"
    DOUBTFUL = "!"
    BAD = "✗"


class Finding(msgspec.Struct, frozen=True):
    """What was found, and for a doubtful or bad thing what to do."""

    mark: Mark
    subject: str
    text: str
    advice: str = ""


class Check(Protocol):
    """A look at one dependency; never raises for what is wrong with it."""

    __name__: str

    async def __call__(self, settings: Settings, clock: Clock) -> list[Finding]: ...


async def ledger(settings: Settings, clock: Clock) -> list[Finding]:
    """Reachable, migrated, and its clock near ours."""
    from haulier.errors import MigrationError
    from haulier.ledger import pending

    name = "ledger"
    try:
        outstanding = await pending(settings.database_url)
    except LedgerUnavailable as error:
        return [
            Finding(
                Mark.BAD,
                name,
                f"PostgreSQL does not answer: {reason_of(error.__cause__)}",
                "Check HAULIER_DATABASE_URL, and that the server runs and lets this machine in.",
            )
        ]
    except MigrationError as error:
        return [Finding(Mark.BAD, name, error.detail, "Run the Haulier version that the database was migrated with.")]
    found = [Finding(Mark.GOOD, name, "PostgreSQL answers")]
    if outstanding:
        names = ", ".join(outstanding)
        found.append(Finding(Mark.BAD, name, f"not migrated: {names} missing", "Run `haulier migrate`."))
    else:
        found.append(Finding(Mark.GOOD, name, "all migrations are applied"))
    found.append(await _skew(settings, clock))
    return found


async def engine(settings: Settings, clock: Clock) -> list[Finding]:
    """Reachable, keeps its data, never evicts it."""
    import redis.asyncio
    from redis.exceptions import RedisError

    name = "engine"
    server = redis.asyncio.from_url(
        settings.redis_url.reveal(), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
    )
    try:
        async with server:
            await server.ping()
            found = [Finding(Mark.GOOD, name, "Redis answers")]
            try:
                answers: dict[str | None, str | None] = {}
                for key in ("appendonly", "maxmemory-policy"):
                    answers |= await server.config_get(key)
            except RedisError:
                return [*found, Finding(Mark.DOUBTFUL, name, "its configuration cannot be read", _SET_BY_PROVIDER)]
    except (RedisError, OSError, ValueError) as error:
        advice = "Check HAULIER_REDIS_URL, and that the server runs and lets this machine in."
        return [Finding(Mark.BAD, name, f"Redis does not answer: {reason_of(error)}", advice)]
    policy = answers.get("maxmemory-policy", "")
    if policy != "noeviction":
        advice = "Set maxmemory-policy noeviction, else Redis may drop queued work when it is full."
        found.append(Finding(Mark.DOUBTFUL, name, f"maxmemory-policy is {policy}", advice))
    if answers.get("appendonly") != "yes":
        advice = "Set appendonly yes; without it a restart rebuilds the queue from the ledger, which takes longer."
        found.append(Finding(Mark.DOUBTFUL, name, "appendonly is off", advice))
    return found


_SET_BY_PROVIDER = "See with your provider that appendonly is yes and maxmemory-policy noeviction."


async def catalogue(settings: Settings, clock: Clock) -> list[Finding]:
    """Loads, and each rule fits a preparer that is installed here."""
    from haulier.catalogue import load_catalogue
    from haulier.job import Request
    from haulier.preparers.registry import Registry

    name = "catalogue"
    try:
        loaded = load_catalogue(settings.catalogue)
        registry = Registry.installed()
    except ConfigurationError as error:
        return [Finding(Mark.BAD, name, problem, "Correct it.") for problem in error.detail.splitlines()]
    found = [
        Finding(
            Mark.BAD, "preparers", one_line(f"{broken} cannot be loaded: {why}"), "Reinstall or remove its package."
        )
        for broken, why in registry.broken.items()
    ]
    for file_id in first_ids(settings.catalogue):
        try:
            recipe = loaded.recipe(Request(file_id=file_id))
            registry.params(recipe)
            registry.choices(recipe)
        except UnknownPreparer as error:
            advice = "Install its package here and on the workers."
            found.append(Finding(Mark.BAD, name, f"file {file_id}: {error.detail}", advice))
        except BadRecipe as error:
            found.append(Finding(Mark.BAD, name, f"file {file_id}: {error.detail}", "Correct the rule's params."))
    if not found:
        names = ", ".join(preparer.name for preparer in registry)
        found.append(Finding(Mark.GOOD, name, f"loads; installed preparers: {names}"))
    return found


async def tokens(settings: Settings, clock: Clock) -> list[Finding]:
    """A secret that is long enough, or keys that can be fetched."""
    if not settings.jwks_url:
        length = len(settings.jwt_secret.reveal().encode())
        return [Finding(Mark.GOOD, "tokens", f"HAULIER_JWT_SECRET has {length} bytes")] if length else []
    import httpx

    advice = "Check HAULIER_JWKS_URL, and that this machine may reach it."
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True) as http:
            keys = (await http.get(settings.jwks_url)).raise_for_status().json()["keys"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return [Finding(Mark.BAD, "tokens", f"the keys cannot be fetched: {reason_of(error)}", advice)]
    return [Finding(Mark.GOOD, "tokens", f"{len(keys)} public keys fetched")]


async def receipts(settings: Settings, clock: Clock) -> list[Finding]:
    """A key that signs them. Without one all else works."""
    if not settings.receipt_key:
        advice = "`haulier receipt-key` makes one: set it as HAULIER_RECEIPT_KEY of every API."
        return [Finding(Mark.DOUBTFUL, "receipts", "are off: HAULIER_RECEIPT_KEY is not set", advice)]
    from haulier.receipts import ReceiptSigner

    key, *old = ReceiptSigner(settings.receipt_key.reveal(), old=settings.receipt_old_keys).published.keys
    older = f"; those of {len(old)} older keys stay valid" if old else ""
    return [Finding(Mark.GOOD, "receipts", f"are signed with key {key.kid}{older}")]


async def _skew(settings: Settings, clock: Clock) -> Finding:
    import asyncpg

    try:
        connection = await asyncpg.connect(settings.database_url.reveal(), timeout=CONNECT_TIMEOUT_S)
        try:
            before = clock.now()
            theirs = await connection.fetchval("select clock_timestamp()", timeout=TIMEOUT_S)
            ours = before + (clock.now() - before) / 2
        finally:
            await connection.close(timeout=TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding(Mark.BAD, "clock", f"cannot be compared: {reason_of(error)}", "Run doctor again.")
    skew_s = abs((theirs - ours).total_seconds())
    if skew_s < SKEW_S:
        return Finding(Mark.GOOD, "clock", "agrees with PostgreSQL's")
    advice = "Run NTP on both: tokens and signed links are dated by this machine's clock."
    return Finding(Mark.DOUBTFUL, "clock", f"is {duration_words(skew_s)} off PostgreSQL's", advice)


def first_ids(setting: str) -> list[int]:
    """The first id of each rule of a TOML catalogue, as samples."""
    from haulier.catalogue import parse_ids

    if not setting or not Path(setting).is_file():
        return []
    tables: list[dict[str, Any]] = tomllib.loads(Path(setting).read_text("utf-8")).get("rule", [])
    ids = [table["ids"][0] if isinstance(table["ids"], list) else table["ids"] for table in tables]
    return [parse_ids(str(one))[0] for one in ids]


def reason_of(error: BaseException | None) -> str:
    """What an error says, in one line."""
    if isinstance(error, TimeoutError):
        return "timed out"
    text = one_line(str(error or "")).strip()
    return text or type(error).__name__
