"""The check of `doctor` that asks the databases of `query` rules whether they understand these."""

from haulier.catalogue import load_catalogue
from haulier.cli.diagnosis import TIMEOUT_S, Finding, Mark, first_ids
from haulier.cli.words import one_line
from haulier.clock import Clock
from haulier.errors import AttemptError, BadRecipe, ConfigurationError, UnknownPreparer
from haulier.job import Request
from haulier.preparers.query import QueryParams
from haulier.preparers.query.columns import check_key, unique
from haulier.preparers.query.source import open_snapshot
from haulier.preparers.query.sqltext import bound
from haulier.preparers.registry import Registry
from haulier.settings import Settings

NAME = "queries"


async def queries(settings: Settings, clock: Clock) -> list[Finding]:
    """Each query of the catalogue is prepared by its database, nothing is run. Rules that are wrong are not ours."""
    found: list[Finding] = []
    rules = _query_rules(settings)
    for file_id, params in rules.items():
        if not settings.query_url(params.database):
            name = "HAULIER_QUERY_DATABASES" if params.database else "HAULIER_QUERY_DATABASE_URL"
            text = f"file {file_id}: its database {params.database!r} is not configured"
            found.append(Finding(Mark.BAD, NAME, text, f"Set {name}."))
            continue
        try:
            await _prepare(settings, params)
        except AttemptError as error:
            advice = one_line(str(error.__cause__)) if error.__cause__ else "Correct the rule."
            found.append(Finding(Mark.BAD, NAME, f"file {file_id}: {error.detail}", advice))
    if rules and not found:
        found.append(Finding(Mark.GOOD, NAME, f"their databases understand all {len(rules)}"))
    return found


async def _prepare(settings: Settings, params: QueryParams) -> None:
    async with open_snapshot(settings.query_url(params.database).reveal(), timeout_s=TIMEOUT_S) as snapshot:
        check_key(params.key_columns, unique(await snapshot.describe(bound(params.sql, params.sql_types).sql)))


def _query_rules(settings: Settings) -> dict[int, QueryParams]:
    """The params of the `query` rules that are right, by a file that each makes."""
    try:
        loaded, registry = load_catalogue(settings.catalogue), Registry.installed()
    except ConfigurationError:
        return {}
    rules: dict[int, QueryParams] = {}
    for file_id in first_ids(settings.catalogue):
        try:
            params = registry.params(loaded.recipe(Request(file_id=file_id)))
        except (BadRecipe, UnknownPreparer):
            continue
        if isinstance(params, QueryParams):
            rules[file_id] = params
    return rules
