"""What the shell completes beyond commands and options: ids and names. No answer in time is no answer."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER
from haulier.limits import Role

ANSWER_S = 0.8
OFFERED = 50
Offer = tuple[str, str]


def job_ids(context: typer.Context, incomplete: str) -> list[Offer]:
    """The user's latest jobs whose ids begin so, each with what it is about."""
    return _beginning(incomplete, lambda: _of_jobs(_asked(context, "/v1/download/jobs", {"limit": OFFERED})["jobs"]))


def letter_ids(context: typer.Context, incomplete: str) -> list[Offer]:
    """The latest dead letters, for admins."""

    def latest() -> Iterable[Offer]:
        page = _asked(context, "/v1/admin/dead-letters", {"limit": OFFERED}, role=Role.ADMIN)
        return ((letter["job_id"], letter["error"]["code"]) for letter in page["dead_letters"])

    return _beginning(incomplete, latest)


def channel_ids(context: typer.Context, incomplete: str) -> list[Offer]:
    """The user's channels, each with where it leads."""

    def all_of_them() -> Iterable[Offer]:
        channels = _asked(context, "/v1/channels", {})["channels"]
        return ((each["channel_id"], each.get("label") or f"{each['kind']}, {each['status']}") for each in channels)

    return _beginning(incomplete, all_of_them)


def preparer_names(incomplete: str) -> list[Offer]:
    """The preparers that are installed here."""

    def installed() -> Iterable[Offer]:
        from haulier.preparers.registry import Registry

        return ((preparer.name, "") for preparer in Registry.installed())

    return _beginning(incomplete, installed)


def _beginning(incomplete: str, offers: Callable[[], Iterable[Offer]]) -> list[Offer]:
    try:
        return [offer for offer in offers() if offer[0].startswith(incomplete)]
    except Exception:  # a shell that completes has no place for errors
        return []


def _of_jobs(jobs: Iterable[Mapping[str, Any]]) -> Iterable[Offer]:
    return (
        (job["job_id"], f"{job['status']}, file {job['file_id']}" if job["file_id"] else job["status"]) for job in jobs
    )


def _asked(context: typer.Context, path: str, params: Mapping[str, int], *, role: Role | None = None) -> Any:
    """What the API answers, asked as the options before the cursor and the environment say."""
    import httpx

    from haulier.cli.access import MADE_TOKEN_ROLE, address_and_token

    def given(name: str) -> str | None:
        return context.params.get(name) or os.environ.get(f"HAULIER_{name.upper()}")

    url, token = address_and_token(
        url=given("url"),
        given_token=given("token"),
        user=given("user") or DEFAULT_USER,
        home=Path(given("home") or DEFAULT_HOME),
        role=role or MADE_TOKEN_ROLE,
    )
    answer = httpx.get(
        f"{url}{path}",
        params=params,
        headers={"Authorization": f"Bearer {token if isinstance(token, str) else token()}"},
        timeout=ANSWER_S,
    )
    return answer.raise_for_status().json()
