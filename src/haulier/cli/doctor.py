"""`doctor`: is everything in place, and if not, what to do?"""

import asyncio
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from haulier.cli.options import DEFAULT_HOME, Home

if TYPE_CHECKING:
    from haulier.cli.diagnosis import Check, Finding
    from haulier.settings import Settings

_NAMED = re.compile(r"(?P<variable>HAULIER_[A-Z0-9_]+): (?P<text>.*)")


def doctor(ctx: typer.Context, home: Home = DEFAULT_HOME) -> None:
    """Check the settings and every dependency, and say what to do.

    What the environment does not set is taken from the `haulier up` that runs on the home folder. Exits with 1 when
    something is wrong (marked ✗); what is marked ! works but deserves a look.
    """
    from haulier.cli.diagnosis import Mark
    from haulier.cli.home import home_environment, surroundings, why_none

    environ = surroundings(home)
    if home_environment(home):
        sys.stdout.write(f"With the settings of the environment, and of {home} where that sets nothing.\n")
    elif home.is_dir():
        sys.stdout.write(f"With the settings of the environment alone; {why_none(home)}\n")
    settings, found = settings_of(environ, options=option_variables(ctx.find_root().command))
    found += asyncio.run(diagnose(settings))
    for finding in found:
        sys.stdout.write(f"{finding.mark} {finding.subject:<10} {finding.text}\n")
        if finding.advice:
            sys.stdout.write(f"{'':<13}{finding.advice}\n")
    if any(finding.mark is Mark.BAD for finding in found):
        raise typer.Exit(1)


def settings_of(environ: Mapping[str, str], *, options: frozenset[str]) -> "tuple[Settings, list[Finding]]":
    """The settings as far as they are right, and what is wrong with the others.

    `options` are the variables of the command line; a HAULIER_ variable that is neither is most likely a misspelling.
    """
    from msgspec.structs import fields

    from haulier import settings
    from haulier.cli.diagnosis import Finding, Mark
    from haulier.errors import ConfigurationError

    known = options | {settings.variable(field.name) for field in fields(settings.Settings)}
    found = [
        Finding(Mark.DOUBTFUL, "settings", f"{name} is no setting of Haulier", "Is it misspelt?")
        for name in sorted(environ)
        if name.startswith(settings.PREFIX) and name not in known
    ]
    need = ("redis_url", "database_url", "storage_url")
    need += () if environ.get("HAULIER_JWKS_URL", "").strip() else ("jwt_secret",)
    try:
        loaded = settings.load(environ, need=need)
    except ConfigurationError as error:
        problems = [
            (match["variable"], match["text"]) for match in map(_NAMED.match, error.detail.splitlines()) if match
        ]
        wrong = {variable for variable, _ in problems}
        found += [Finding(Mark.BAD, "settings", f"{variable} {text}") for variable, text in problems]
        loaded = settings.load({name: value for name, value in environ.items() if name not in wrong})
    else:
        found.append(Finding(Mark.GOOD, "settings", "are complete and consistent"))
    return loaded, found


async def diagnose(settings: "Settings") -> "list[Finding]":
    """Look at everything that the settings name, at the same time."""
    from haulier.cli import diagnosis, diagnosis_mail, diagnosis_queries, storage_diagnosis
    from haulier.clock import SYSTEM_CLOCK

    checks: list[Check] = [diagnosis.tokens, diagnosis.receipts, diagnosis.catalogue]
    for url, check in (
        (settings.database_url, diagnosis.ledger),
        (settings.redis_url, diagnosis.engine),
        (settings.storage_url, storage_diagnosis.storage),
        (settings.smtp_url, diagnosis_mail.mail),
    ):
        if url:
            checks.append(check)
    checks.append(diagnosis_queries.queries)

    async def run(check: "Check") -> "list[Finding]":
        try:
            return await check(settings, SYSTEM_CLOCK)
        except Exception as error:  # one check that breaks must not hide what the others say
            text = f"the check itself failed: {type(error).__name__}: {error}"
            return [diagnosis.Finding(diagnosis.Mark.BAD, check.__name__, text, "This is a defect of Haulier.")]

    found = await asyncio.gather(*map(run, checks))
    return [finding for findings in found for finding in findings]


def option_variables(command: Any) -> frozenset[str]:
    """The environment variables of all options of `command` and the commands below it."""
    own = {param.envvar for param in command.params if isinstance(getattr(param, "envvar", None), str)}
    below = (option_variables(child) for child in getattr(command, "commands", {}).values())
    return frozenset(own).union(*below)
