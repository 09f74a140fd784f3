"""What a preparer receives: the `Build` of preparers/port.py over a running attempt."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog

from haulier.catalogue import Catalogue, Recipe
from haulier.errors import BadRecipe, HaulierError, InvalidRequest, LedgerUnavailable
from haulier.job import Request
from haulier.ledger import Attempts
from haulier.observe.events import CHECKPOINT_POSTPONED
from haulier.preparers import Preparer, Result
from haulier.preparers.registry import Registry
from haulier.settings import Settings
from haulier.storage import Storage
from haulier.work.running import RunningAttempt

log = structlog.get_logger()

MAX_DEPTH = 4  # a batch of archives of archives; deeper nesting is a rule that contains itself

Report = Callable[[int, int | None, str], None]
Save = Callable[[Mapping[str, Any]], Awaitable[None]]
Settled = Callable[[int, HaulierError | None], None]


class Prepared(msgspec.Struct, frozen=True):
    """What a preparer answered, and by which recipe."""

    recipe: Recipe
    preparer: Preparer
    result: Result


class Desk:
    """One request's view for its preparer."""

    def __init__(
        self,
        workshop: "Workshop",
        request: Request,
        *,
        file_name: str,
        params: Any,
        request_params: Any,
        checkpoint: Mapping[str, Any] | None,
        report: Report,
        save: Save,
        settled: Settled,
        depth: int,
    ) -> None:
        self._depth = depth
        self._settled = settled
        self._workshop = workshop
        self._report = report
        self._save = save
        self.request = request
        self.file_name = file_name
        self.params = params
        self.request_params = request_params
        self.checkpoint = checkpoint

    @property
    def storage(self) -> Storage:
        return self._workshop.storage

    @property
    def settings(self) -> Settings:
        return self._workshop.settings

    def report(self, *, done: int, total: int | None = None, stage: str = "") -> None:
        self._report(done, total, stage)

    def settled(self, index: int, *, missing: HaulierError | None = None) -> None:
        self._settled(index, missing)

    async def save(self, checkpoint: Mapping[str, Any]) -> None:
        await self._save(checkpoint)

    async def part(self, file_id: int) -> Result:
        if self._depth >= MAX_DEPTH:
            raise BadRecipe(reason=f"file {file_id} is a part of itself, or parts are nested too deep")
        prepared = await self._workshop.prepare(
            Request(file_id=file_id), report=_ignore, save=_forget, settled=_unasked, depth=self._depth + 1
        )
        return prepared.result


class Workshop:
    """Finds the recipe of a request and runs its preparer."""

    def __init__(self, *, catalogue: Catalogue, registry: Registry, storage: Storage, settings: Settings) -> None:
        self.catalogue = catalogue
        self.registry = registry
        self.storage = storage
        self.settings = settings

    async def prepare(
        self,
        request: Request,
        *,
        report: Report,
        save: Save,
        settled: Settled,
        checkpoint: Mapping[str, Any] | None = None,
        depth: int = 0,
    ) -> Prepared:
        """Run the preparer of `request`. Raises UnknownPreparer, BadRecipe, and what preparers raise."""
        recipe = self.catalogue.recipe(request)
        preparer = self.registry.get(recipe.preparer)
        desk = Desk(
            self,
            request,
            file_name=recipe.file_name,
            params=self.registry.params(recipe),
            request_params=self._request_params(recipe, request),
            checkpoint=checkpoint,
            report=report,
            save=save,
            settled=settled,
            depth=depth,
        )
        return Prepared(recipe, preparer, await preparer.prepare(desk))

    def _request_params(self, recipe: Recipe, request: Request) -> Any:
        """Checked at admission too, but the API may have another version of the preparer, or none."""
        try:
            return self.registry.request_params(recipe, request.params)
        except InvalidRequest as error:
            asked = "; ".join(f"{pointer} {problem}" for pointer, problem in error.problems)
            raise BadRecipe(reason=f"{recipe.preparer} cannot take the request's params: {asked}") from error

    async def prepare_attempt(self, running: RunningAttempt, attempts: Attempts) -> Prepared:
        """Run the preparer of a running attempt, with progress and checkpoints."""
        attempt = running.attempt

        async def save(checkpoint: Mapping[str, Any]) -> None:
            running.unsaved = checkpoint
            try:
                await attempts.save_checkpoint(attempt, checkpoint)
            except (
                LedgerUnavailable
            ) as error:  # no reason to stop: it is written with the attempt's end, or the next one
                log.warning(CHECKPOINT_POSTPONED, code=error.code)
            else:
                running.unsaved = None

        return await self.prepare(
            attempt.job.request,
            report=lambda done, total, stage: running.report(done=done, total=total, stage=stage),
            save=save,
            settled=running.settled,
            checkpoint=attempt.checkpoint,
        )


def _ignore(_done: int, _total: int | None, _stage: str) -> None:
    """Parts do not report: the whole counts their bytes."""


def _unasked(_index: int, _missing: HaulierError | None) -> None:
    """A part's own files are no files of the request."""


async def _forget(_checkpoint: Mapping[str, Any]) -> None:
    """Parts keep no state: the whole does."""
