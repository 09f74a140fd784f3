"""`preparers` and `preparers show`: what is installed here, and what it takes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haulier.cli.completing import preparer_names
from haulier.cli.options import DEFAULT_HOME, Home, Json
from haulier.job import MAX_FILE_ID, MIN_FILE_ID

if TYPE_CHECKING:
    from haulier.cli.preparers_view import Told
    from haulier.preparers.registry import Registry


def preparers(context: typer.Context, json: Json = False) -> None:
    """List the preparers that are installed beside this program, and those that cannot be loaded.

    A worker on another machine may have others: run this there.
    """
    if context.invoked_subcommand:
        from haulier.cli.dead_letters import refuse_early_options

        refuse_early_options(context)
        return
    from haulier.cli.preparers_view import listed, print_list
    from haulier.cli.stdout import print_json
    from haulier.preparers.registry import Registry

    found = listed(Registry.installed())
    print_json(found) if json else print_list(found)


def show(
    name: Annotated[str | None, typer.Argument(metavar="NAME", hidden=True, autocompletion=preparer_names)] = None,
    file_id: Annotated[
        int | None,
        typer.Option(
            "--file",
            envvar="HAULIER_PREPARERS_FILE",
            metavar="FILE_ID",
            min=MIN_FILE_ID,
            max=MAX_FILE_ID,
            help="Show what a request for this file of the catalogue may choose.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Show the parameters of preparer NAME: those of a catalogue rule, and those that a request may choose.

    With --file NAME can be left out. The catalogue is that of HAULIER_CATALOGUE, or of the `haulier up` that runs on
    the home folder. With --json the parameters are JSON Schemas.
    """
    from haulier.cli.preparers_view import print_told
    from haulier.cli.stdout import print_json
    from haulier.preparers.registry import Registry

    if name is None and file_id is None:
        raise typer.BadParameter("name a preparer (`haulier preparers` lists them), or a file with --file")
    registry = Registry.installed()
    found = _of_file(registry, name, file_id, home) if file_id is not None else _named(registry, name or "")
    print_json(found) if json else print_told(found)


def _named(registry: "Registry", name: str) -> "Told":
    from haulier.cli.failures import CommandFailed
    from haulier.cli.preparers_view import told
    from haulier.errors import UnknownPreparer

    if name in registry.broken:
        raise CommandFailed(f"{name} is installed but cannot be loaded: {registry.broken[name]}")
    try:
        return told(registry, registry.get(name))
    except UnknownPreparer as error:
        names = ", ".join(preparer.name for preparer in registry)
        raise CommandFailed(f"No preparer named {name} is installed here; there are {names}. [{error.code}]") from None


def _of_file(registry: "Registry", name: str | None, file_id: int, home: Path) -> "Told":
    """What a request for this file may choose. Raises ConfigurationError, BadRecipe, CommandFailed."""
    from msgspec.structs import replace

    from haulier.catalogue import load_catalogue
    from haulier.cli.failures import CommandFailed
    from haulier.cli.home import surroundings
    from haulier.cli.preparers_view import schema_of
    from haulier.job import Request

    recipe = load_catalogue(surroundings(home).get("HAULIER_CATALOGUE", "")).recipe(Request(file_id=file_id))
    if name is not None and name != recipe.preparer:
        raise CommandFailed(f"File {file_id} is made by {recipe.preparer}, not by {name}.")
    found = _named(registry, recipe.preparer)
    registry.params(recipe)
    shape = registry.choices(recipe)
    return replace(found, file_id=file_id, request_params=shape and schema_of(shape))
