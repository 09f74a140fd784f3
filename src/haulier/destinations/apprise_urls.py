"""Which services apprise may reach, as settings and users write them. Pure: apprise itself is not loaded.

Users may write an apprise URL of their own only for services that the operator allows. Those that are allowed unless
the settings say otherwise talk to the host of that service whatever the URL says; what can lead to a host of the user's
choice (ntfy, JSON, e-mail, …) is the operator's decision.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec


class Hosted(msgspec.Struct, frozen=True):
    """A service with hosts of its own: its name for people, apprise's module and class."""

    title: str
    module: str
    plugin: str


HOSTED: Mapping[str, Hosted] = {
    "discord": Hosted("Discord", "discord", "NotifyDiscord"),
    "gchat": Hosted("Google Chat", "google_chat", "NotifyGoogleChat"),
    "pbul": Hosted("Pushbullet", "pushbullet", "NotifyPushBullet"),
    "pover": Hosted("Pushover", "pushover", "NotifyPushover"),
    "slack": Hosted("Slack", "slack", "NotifySlack"),
    "tgram": Hosted("Telegram", "telegram", "NotifyTelegram"),
}
DEFAULT_SERVICES = ",".join(HOSTED)
NO_SERVICES = "none"
MOST_URL_CHARACTERS = 1_000
# Others read local files and foreign addresses (template, attach), send twice (retry), or trust anybody (verify).
_OPTIONS = frozenset({"botname", "mode", "priority", "silent", "sound", "thread", "to", "topic"})
_SCHEMA = re.compile(r"[a-z][a-z0-9]{0,30}")
_NAMED = re.compile(r"(?P<name>[a-z][a-z0-9_-]{0,40})(?::(?P<roles>[a-z,]+))?=(?P<url>[a-z][a-z0-9]*://\S+)")


class OperatorChannel(msgspec.Struct, frozen=True):
    """A place that the operator named. Users of `roles` may choose it; without any, everybody. Never prints its URL."""

    name: str
    url: str
    roles: frozenset[str]

    def __repr__(self) -> str:
        return f"OperatorChannel({self.name})"

    def is_for(self, role: str) -> bool:
        return not self.roles or role in self.roles


def services_of(text: str) -> tuple[str, ...]:
    """The schemas that `text` lists with commas; none for `none`. Raises ValueError with a sentence."""
    if text.strip() == NO_SERVICES:
        return ()
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if wrong := [schema for schema in found if not _SCHEMA.fullmatch(schema)]:
        raise ValueError(f"{wrong[0]} must be the beginning of an apprise URL, like slack")
    return found


def operator_channels(text: str) -> dict[str, OperatorChannel]:
    """The places that `text` names: `ops=slack://… night:admin,premium=pover://…`. Raises ValueError with a sentence
    that repeats no URL."""
    found: dict[str, OperatorChannel] = {}
    for place, part in enumerate(text.split(), start=1):
        match = _NAMED.fullmatch(part)
        if match is None or match["name"] in found:
            raise ValueError(f"number {place} must be name=url or name:role,role=url, each name once")
        roles = frozenset(role for role in (match["roles"] or "").split(",") if role)
        found[match["name"]] = OperatorChannel(match["name"], match["url"], roles)
    return found


def schema_of(url: str) -> str:
    """What stands before `://`, in lower case; empty when there is none."""
    return url.partition("://")[0].lower() if "://" in url else ""


def problem_of(url: str, *, services: tuple[str, ...]) -> str | None:
    """Why a user may not use this URL, in words that repeat nothing of it; None when they may as far as it tells."""
    if len(url) > MOST_URL_CHARACTERS or not re.fullmatch(r"[\x21-\x7e]+", url):
        return f"must be printable ASCII, at most {MOST_URL_CHARACTERS} characters"
    if schema_of(url) not in services:
        return f"must begin with one of {', '.join(f'{schema}://' for schema in services)}"
    foreign = _option_names(url) - _OPTIONS
    return f"may have the options {', '.join(sorted(_OPTIONS))} only" if foreign else None


def _option_names(url: str) -> set[str]:
    """The names of all options that apprise may find: it knows no fragments, and separates by `;` as well."""
    parts = re.split("[?&;]", url.partition("?")[2])
    return {unquote(part.partition("=")[0]).strip().lower() for part in parts if part}
