"""Which preparers are installed: everything in the entry-point group `haulier.preparers`, ours and others' alike."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import msgspec

from haulier.errors import BadRecipe, ConfigurationError, InvalidRequest, UnknownPreparer
from haulier.preparers.choosing import POINTER, chosen
from haulier.preparers.port import Preparer

GROUP = "haulier.preparers"

logger = logging.getLogger(__name__)


class Named(Protocol):
    """What the registry reads of a catalogue's recipe."""

    @property
    def preparer(self) -> str: ...

    @property
    def params(self) -> Mapping[str, Any]: ...


class Package(msgspec.Struct, frozen=True):
    """The installed package that a preparer comes from; `version` is '' when nobody tells."""

    name: str
    version: str = ""


class Registry:
    """Preparers by name. `broken` says for each plug-in that could not be loaded why, `packages` where each is from."""

    def __init__(
        self,
        preparers: Iterable[Preparer],
        broken: Mapping[str, str] | None = None,
        *,
        packages: Mapping[str, Package] | None = None,
    ) -> None:
        self._preparers = {preparer.name: preparer for preparer in preparers}
        self.broken = dict(broken or {})
        self.packages = dict(packages or {})

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
                broken[point.name] = f"{_package(point).name}: {type(error).__name__}: {error}"
                logger.warning("preparer %s could not be loaded: %s", point.name, broken[point.name])
        return cls(preparers, broken, packages={point.name: _package(point) for point in points})

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

    def choices(self, recipe: Named) -> type[msgspec.Struct] | None:
        """What a client may choose of this file; None: nothing. Raises UnknownPreparer, BadRecipe.

        A preparer can let the choice depend on the rule's params: what its function raises is the rule's fault.
        """
        preparer = self.get(recipe.preparer)
        if preparer.request_params is None or isinstance(preparer.request_params, type):
            return preparer.request_params
        params = self.params(recipe)
        try:
            shape: Any = preparer.request_params(params)
            _check_choices(shape)
        except Exception as error:
            raise BadRecipe(reason=f"{preparer.name}: {error}") from error
        return shape

    def request_params(self, recipe: Named, given: Mapping[str, Any]) -> msgspec.Struct | None:
        """The client's `params` as its file's preparer takes them; None when it takes none.

        Raises InvalidRequest with a pointer for each wrong one; and what `choices` raises.
        """
        shape = self.choices(recipe)
        if shape is not None:
            return chosen(shape, given)
        if given:
            raise InvalidRequest((POINTER, f"This file takes no params; leave out {', '.join(sorted(given))[:100]}"))
        return None


def _load(point: EntryPoint) -> Preparer:
    loaded = point.load()
    if not isinstance(loaded, Preparer):
        raise TypeError(f"{point.value} is not a haulier.preparers.Preparer")
    if loaded.name != point.name:
        raise ValueError(f"{point.value} calls itself {loaded.name}")
    with suppress(msgspec.ValidationError):
        msgspec.convert({}, loaded.params)  # a TypeError tells now that msgspec cannot use the type
    if isinstance(loaded.request_params, type):
        _check_choices(loaded.request_params)
    return loaded


def _check_choices(shape: Any) -> None:
    """Raise TypeError for a `request_params` that cannot be one."""
    if not (isinstance(shape, type) and issubclass(shape, msgspec.Struct)) or shape.__struct_config__.array_like:
        raise TypeError(f"request_params is {shape!r}, not a Struct type with named fields")
    with suppress(msgspec.ValidationError):
        msgspec.convert({}, shape)


def _refuse_duplicates(points: Iterable[EntryPoint]) -> None:
    packages: defaultdict[str, set[str]] = defaultdict(set)
    for point in points:
        packages[point.name].add(_package(point).name)
    problems = [
        f"preparer {name} is installed by {' and by '.join(sorted(owners))}; uninstall one of them"
        for name, owners in sorted(packages.items())
        if len(owners) > 1
    ]
    if problems:
        raise ConfigurationError(problems="\n".join(problems))


def _package(point: EntryPoint) -> Package:
    return Package(point.dist.name, getattr(point.dist, "version", "")) if point.dist else Package(point.value)
