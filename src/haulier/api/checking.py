"""Whether a file could be had, without starting anything."""

from msgspec import UNSET

from haulier.api.bodies import body_of
from haulier.api.choosing import check_plain
from haulier.api.exchange import Answer, Exchange, json_answer
from haulier.api.patience import ANSWER_S
from haulier.api.services import Services
from haulier.catalogue import Recipe
from haulier.errors import AttemptError, StorageUnavailable
from haulier.job import Request
from haulier.silence import answered_within
from haulier.storage import ObjectInfo
from haulier.wire import CheckAnswer, CheckRequest

PUBLISHED_AS_IS = "object"


async def check(exchange: Exchange, services: Services) -> Answer:
    """Look at the catalogue, and into the store for a file that is published as it is. Counts against no limit.

    Params are refused as `initiate` would.
    """
    body = await body_of(exchange, CheckRequest)
    check_plain(body.params)
    try:
        return json_answer(await _look(Request(file_id=body.file_id, params=body.params), body.file_id, services))
    except AttemptError:
        return json_answer(CheckAnswer(body.file_id, available=False))


async def _look(request: Request, file_id: int, services: Services) -> CheckAnswer:
    recipe = services.catalogue.recipe(request)
    services.registry.params(recipe)  # raises for a preparer that is not installed, or a rule that it refuses
    services.registry.request_params(recipe, request.params)
    if recipe.preparer != PUBLISHED_AS_IS:
        return _possible(file_id, recipe, services)
    found = await _found(recipe.params["key"], services)
    if found is None:
        return CheckAnswer(file_id, available=False)
    return _possible(file_id, recipe, services, found=found)


async def _found(key: str, services: Services) -> ObjectInfo | None:
    try:
        async with answered_within(ANSWER_S):
            return await services.storage.head(key)
    except TimeoutError as error:
        raise StorageUnavailable(reason="it did not answer in time") from error


def _possible(file_id: int, recipe: Recipe, services: Services, *, found: ObjectInfo | None = None) -> CheckAnswer:
    spread = services.estimator.spread(recipe.preparer, size_bytes=found.size if found else None)
    return CheckAnswer(
        file_id,
        available=True,
        size=found.size if found else UNSET,
        estimated_seconds=round(spread.median_s, 3) if spread else UNSET,
    )
