"""What the shell completes beyond commands and options: ids of jobs. No answer in time is no answer."""

import os
from pathlib import Path

import typer

from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER

ANSWER_S = 0.8
OFFERED = 50


def job_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The user's latest jobs whose ids begin so, each with what it is about."""
    try:
        return [each for each in _latest(context) if each[0].startswith(incomplete)]
    except Exception:  # a shell that completes has no place for errors
        return []


def _latest(context: typer.Context) -> list[tuple[str, str]]:
    import httpx

    from haulier.cli.access import address_and_token

    def given(name: str) -> str | None:
        return context.params.get(name) or os.environ.get(f"HAULIER_{name.upper()}")

    url, token = address_and_token(
        url=given("url"),
        given_token=given("token"),
        user=given("user") or DEFAULT_USER,
        home=Path(given("home") or DEFAULT_HOME),
    )
    answer = httpx.get(
        f"{url}/v1/download/jobs",
        params={"limit": OFFERED},
        headers={"Authorization": f"Bearer {token if isinstance(token, str) else token()}"},
        timeout=ANSWER_S,
    )
    return [
        (job["job_id"], f"{job['status']}, file {job['file_id']}" if job["file_id"] else job["status"])
        for job in answer.raise_for_status().json()["jobs"]
    ]
