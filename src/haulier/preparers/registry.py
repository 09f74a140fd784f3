"""Which preparers are installed: everything in the entry-point group `haulier.preparers`, ours and others' alike."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import msgspec

from haulier.errors import BadRecipe, ConfigurationError, UnknownPreparer
from haulier.preparers.port import Preparer

GROUP = "haulier.preparers"

logger = logging.getLogger(__name__)


class Named(Protocol):
    """What the registry reads of a catalogue's recipe."""

    @property
    def preparer(self) -> str: ...

    @property
    def params(self) -> Mapping[str, Any]: ...


class Registry:
    """Preparers by name. `broken` says for each plug-in that could not be loaded why."""

    def __init__(self, preparers: Iterable[Preparer], broken: Mapping[str, str] | None = None) -> None:
        self._preparers = {preparer.name: preparer for preparer in preparers}
        self.broken = dict(broken or {})

    @classmethod
    def installed(cls, points: Iterable[EntryPoint] | None = None) -> "Registry":
        """Load all entry points (default: those of the environment).

        A plug-in that cannot be loaded is logged and kept in `broken`; the others work. Raises ConfigurationError when
        two packages give the same name.
        """
        points = list(entry_points(group=GROUP) if points is None else points)
        _refuse_duplicates(points)
        preparers: list[Preparer] = []
        broken: dict[str, str] = {}
        for point in points:
            try:
                preparers.append(_load(point))
            except Exception as error:
                broken[point.name] = f"{_package(point)}: {type(error).__name__}: {error}"
                logger.warning("preparer %s could not be loaded: %s", point.name, broken[point.name])
        return cls(preparers, broken)

    def __iter__(self) -> Iterator[Preparer]:
        return iter(sorted(self._preparers.values(), key=lambda preparer: preparer.name))

    def get(self, name: str) -> Preparer:
        """The preparer called `name`. Raises UnknownPreparer; the log then says why when the plug-in is broken."""
        preparer = self._preparers.get(name)
        if preparer is None:
            if name in self.broken:
                logger.error("preparer %s is installed but could not be loaded: %s", name, self.broken[name])
            raise UnknownPreparer(name=name)
        return preparer

    def params(self, recipe: Named) -> msgspec.Struct:
        """The recipe's params as its preparer's type. Raises UnknownPreparer, or BadRecipe with what is wrong."""
        preparer = self.get(recipe.preparer)
        try:
            return msgspec.convert(recipe.params, preparer.params)
        except msgspec.ValidationError as error:
            raise BadRecipe(reason=f"{preparer.name}: {error}") from error


def _load(point: EntryPoint) -> Preparer:
    loaded = point.load()
    if not isinstance(loaded, Preparer):
        raise TypeError(f"{point.value} is not a haulier.preparers.Preparer")
    if loaded.name != point.name:
        raise ValueError(f"{point.value} calls itself {loaded.name}")
    with suppress(msgspec.ValidationError):
        msgspec.convert({}, loaded.params)  # a TypeError tells now that msgspec cannot use the type
    return loaded


def _refuse_duplicates(points: Iterable[EntryPoint]) -> None:
    packages: defaultdict[str, set[str]] = defaultdict(set)
    for point in points:
        packages[point.name].add(_package(point))
    problems = [
        f"preparer {name} is installed by {' and by '.join(sorted(owners))}; uninstall one of them"
        for name, owners in sorted(packages.items())
        if len(owners) > 1
    ]
    if problems:
        raise ConfigurationError(problems="\n".join(problems))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
